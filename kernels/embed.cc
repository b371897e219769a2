// Build-time tool: reads kernels.def, the kernel headers and all kernel sources, and writes the C++
// file from which src/lower/registry.cc knows every kernel (argument struct, prototype, entry) and
// src/emit/ knows their text. Headers are read by a deliberately small grammar, so that a field
// that lower/ would misread stops the build with file and line instead.
//
//   nibble_embed KERNELS_DIR OUT.cc
//
// Header of a family, FOLDER/FAMILY.h:
//   typedef struct { TYPE name; ... } nibble_FAMILY_args;   TYPE: int32_t, float or const T *
//   NIBBLE_API void FUNCTION(const nibble_FAMILY_args *args, T *name, ...);
//     a parameter `dst` is the output, `scratch` is scratch, all others are sources (const T *)
//   static inline int32_t FUNCTION_scratch_bytes(const nibble_FAMILY_args *args) { ... }
//     needed exactly where the prototype has `scratch`
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 7> kElementTypes = {
    "int8_t", "uint8_t", "int16_t", "int32_t", "int64_t", "float", "uint32_t"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kIsas = {
    {{"portable", "kPortable"},
     {"thumb", "kThumb"},
     {"thumb2", "kThumb2"},
     {"dsp", "kDsp"},
     {"mve", "kMve"},
     {"rv32", "kRv32"},
     {"rvv", "kRvv"}}};

struct Field {
  std::string ctype, name;
  bool is_pointer = false;
};
struct Parameter {
  std::string ctype, name;
};
struct Kernel {
  std::string family, function, folder, isa;
  int line = 0;  // in kernels.def
  std::vector<Field> fields;
  std::vector<Parameter> parameters;  // after args
  bool has_scratch = false;
  std::string args_struct() const { return "nibble_" + family + "_args"; }
  std::string header() const { return folder + "/" + family + ".h"; }
  std::string source() const { return folder + "/" + function.substr(7) + ".c"; }
};

[[noreturn]] void fail(const std::string& file, int line, const std::string& message) {
  std::cerr << file << ":" << line << ": error: " << message << "\n";
  std::exit(1);
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) fail(path.string(), 1, "cannot be read");
  return text.str();
}

int line_of(std::string_view text, size_t position) {
  return 1 + static_cast<int>(
                 std::count(text.begin(), text.begin() + static_cast<long>(position), '\n'));
}

// Comments become spaces; line breaks stay, so that positions still tell the line.
std::string without_comments(std::string text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    size_t end = i;
    if (text.compare(i, 2, "//") == 0) {
      end = std::min(text.find('\n', i), text.size());
    } else if (text.compare(i, 2, "/*") == 0) {
      size_t close = text.find("*/", i + 2);
      end = close == std::string::npos ? text.size() : close + 2;
    }
    for (; i < end; ++i)
      if (text[i] != '\n') text[i] = ' ';
  }
  return text;
}

// Identifiers and single punctuation characters.
std::vector<std::string> tokens_of(std::string_view text) {
  std::vector<std::string> tokens;
  for (size_t i = 0; i < text.size();) {
    auto is_word = [&](size_t k) {
      return k < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[k])) || text[k] == '_');
    };
    if (is_word(i)) {
      size_t end = i;
      while (is_word(end)) ++end;
      tokens.emplace_back(text.substr(i, end - i));
      i = end;
    } else {
      if (!std::isspace(static_cast<unsigned char>(text[i]))) tokens.emplace_back(1, text[i]);
      ++i;
    }
  }
  return tokens;
}

bool is_element_type(const std::string& word) {
  return std::find(kElementTypes.begin(), kElementTypes.end(), word) != kElementTypes.end();
}

// --- kernels.def -------------------------------------------------------------------------------

std::vector<Kernel> read_rows(const fs::path& dir) {
  std::string path = (dir / "kernels.def").string();
  std::string text = without_comments(read_text(path));
  std::vector<Kernel> kernels;
  std::set<std::string> seen;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::vector<std::string> words = tokens_of(line);
    if (words.empty()) continue;
    bool shaped = words.size() == 10 && words[0] == "NIBBLE_KERNEL" && words[1] == "(" &&
                  words[3] == "," && words[5] == "," && words[7] == "," && words[9] == ")";
    if (!shaped) fail(path, number, "expected NIBBLE_KERNEL(family, function, folder, isa)");
    Kernel kernel;
    kernel.family = words[2];
    kernel.function = words[4];
    kernel.folder = words[6];
    kernel.isa = words[8];
    kernel.line = number;
    if (!kernel.function.starts_with("nibble_" + kernel.family + "_"))
      fail(path, number, kernel.function + " must be called nibble_" + kernel.family + "_ISA");
    if (std::none_of(kIsas.begin(), kIsas.end(),
                     [&](auto& isa) { return isa.first == kernel.isa; }))
      fail(path, number,
           "unknown instruction set " + kernel.isa +
               " (portable, thumb, thumb2, dsp, mve, rv32, rvv)");
    if (!seen.insert(kernel.function).second)
      fail(path, number, kernel.function + " has a row already");
    for (const std::string& file : {kernel.header(), kernel.source()})
      if (!fs::exists(dir / file)) fail(path, number, "kernels/" + file + " does not exist");
    kernels.push_back(kernel);
  }
  return kernels;
}

// --- Headers -----------------------------------------------------------------------------------

std::vector<Field> read_fields(const std::string& file, const std::string& text,
                               const std::string& args_struct) {
  size_t close = text.find("} " + args_struct + ";");
  if (close == std::string::npos) fail(file, 1, "no `typedef struct {...} " + args_struct + ";`");
  size_t open = text.rfind('{', close);
  if (open == std::string::npos) fail(file, line_of(text, close), "struct has no opening brace");
  std::vector<Field> fields;
  for (size_t start = open + 1; start < close;) {
    size_t end = std::min(text.find('\n', start), close);
    std::vector<std::string> words = tokens_of(std::string_view(text).substr(start, end - start));
    int line = line_of(text, start);
    start = end + 1;
    if (words.empty()) continue;
    Field field;
    if (words.size() == 3 && (words[0] == "int32_t" || words[0] == "float") && words[2] == ";") {
      field = {words[0], words[1], false};
    } else if (words.size() == 5 && words[0] == "const" && is_element_type(words[1]) &&
               words[2] == "*" && words[4] == ";") {
      field = {"const " + words[1] + " *", words[3], true};
    } else {
      fail(file, line, "expected one field: `int32_t name;`, `float name;` or `const T *name;`");
    }
    for (const Field& other : fields)
      if (other.name == field.name) fail(file, line, "field " + field.name + " stands twice");
    fields.push_back(field);
  }
  if (fields.empty()) fail(file, line_of(text, open), args_struct + " has no fields");
  return fields;
}

std::vector<Parameter> read_parameters(const std::string& file, const std::string& text,
                                       const Kernel& kernel) {
  size_t start = text.find("NIBBLE_API void " + kernel.function + "(");
  if (start == std::string::npos)
    fail(file, 1,
         "no prototype `NIBBLE_API void " + kernel.function + "(const " + kernel.args_struct() +
             " *args, ...);`");
  int line = line_of(text, start);
  size_t open = text.find('(', start);
  size_t close = text.find(")", open);
  if (close == std::string::npos || text.compare(close, 2, ");") != 0)
    fail(file, line, "the prototype of " + kernel.function + " does not end in `);`");
  std::vector<Parameter> parameters;
  std::istringstream list(text.substr(open + 1, close - open - 1));
  std::string item;
  for (int position = 0; std::getline(list, item, ','); ++position) {
    std::vector<std::string> words = tokens_of(item);
    std::erase(words, "NIBBLE_RESTRICT");
    bool constant = !words.empty() && words[0] == "const";
    if (constant) words.erase(words.begin());
    if (words.size() != 3 || words[1] != "*")
      fail(file, line, kernel.function + ": parameters are pointers only, not `" + item + "`");
    if (position == 0) {
      if (!constant || words[0] != kernel.args_struct() || words[2] != "args")
        fail(file, line,
             kernel.function + ": the first parameter is `const " + kernel.args_struct() +
                 " *args`");
      continue;
    }
    bool written = words[2] == "dst" || words[2] == "scratch";
    if (!is_element_type(words[0]))
      fail(file, line, kernel.function + ": unknown element type " + words[0]);
    if (written == constant)
      fail(
          file, line,
          kernel.function + ": dst and scratch are `T *`, sources `const T *`; not `" + item + "`");
    parameters.push_back({(constant ? "const " : "") + words[0] + " *", words[2]});
  }
  auto named = [&](std::string_view name) {
    return std::count_if(parameters.begin(), parameters.end(),
                         [&](const Parameter& parameter) { return parameter.name == name; });
  };
  if (named("dst") != 1) fail(file, line, kernel.function + " needs one parameter named dst");
  if (named("scratch") > 1) fail(file, line, kernel.function + " has scratch twice");
  return parameters;
}

void read_header(const fs::path& dir, Kernel& kernel) {
  std::string file = (dir / kernel.header()).string();
  std::string text = without_comments(read_text(file));
  kernel.fields = read_fields(file, text, kernel.args_struct());
  kernel.parameters = read_parameters(file, text, kernel);
  kernel.has_scratch = kernel.parameters.back().name == "scratch";
  bool scratch_elsewhere = std::any_of(kernel.parameters.begin(), kernel.parameters.end() - 1,
                                       [](const Parameter& p) { return p.name == "scratch"; });
  if (scratch_elsewhere) fail(file, 1, kernel.function + ": scratch is the last parameter");
  bool declared = text.find("static inline int32_t " + kernel.function + "_scratch_bytes(") !=
                  std::string::npos;
  if (declared != kernel.has_scratch)
    fail(file, 1,
         kernel.function + ": a `scratch` parameter and `static inline int32_t " + kernel.function +
             "_scratch_bytes(const " + kernel.args_struct() + " *args)` belong together");
}

// --- Files and what they include ---------------------------------------------------------------

struct Sources {
  fs::path dir;
  std::map<std::string, std::string> text;  // by path below kernels/
};

Sources read_sources(const fs::path& dir) {
  Sources sources{dir, {}};
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    fs::path extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".h" && extension != ".c")) continue;
    sources.text[fs::relative(entry.path(), dir).generic_string()] = read_text(entry.path());
  }
  return sources;
}

// Depth first: what a file includes comes before the file itself.
void collect_files(const Sources& sources, const std::string& path, std::set<std::string>& seen,
                   std::vector<std::string>& order) {
  if (!seen.insert(path).second) return;
  std::istringstream lines(sources.text.at(path));
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::vector<std::string> words = tokens_of(line.substr(0, line.find('"')));
    if (words.size() != 2 || words[0] != "#" || words[1] != "include") continue;
    size_t open = line.find('"');
    size_t close = line.find('"', open + 1);
    std::string full = (sources.dir / path).string();
    if (open == std::string::npos || close == std::string::npos) continue;  // <system>
    std::string wanted = line.substr(open + 1, close - open - 1);
    std::string beside =
        (fs::path(path).parent_path() / wanted).lexically_normal().generic_string();
    if (sources.text.contains(wanted)) {
      collect_files(sources, wanted, seen, order);
    } else if (sources.text.contains(beside)) {
      collect_files(sources, beside, seen, order);
    } else {
      fail(full, number, "\"" + wanted + "\" is not a file below kernels/");
    }
  }
  order.push_back(path);
}

// --- Output ------------------------------------------------------------------------------------

std::string quoted_line(std::string_view line) {
  std::string out = "\"";
  for (char c : line) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\t') {
      out += "\\t";
    } else if (c == '?') {
      out += "\\?";  // no trigraphs
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string quoted_text(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    std::string quoted = quoted_line(line);
    out += "\n     " + quoted.substr(0, quoted.size() - 1) + "\\n\"";
  }
  return out.empty() ? "\"\"" : out;
}

void write_kernel(std::ostream& out, const Kernel& kernel, size_t index, const Sources& sources) {
  const std::string args = kernel.args_struct();
  out << "// " << kernel.function << "\nconstexpr KernelField kFields" << index << "[] = {\n";
  for (const Field& field : kernel.fields)
    out << "    {\"" << field.name << "\", \"" << field.ctype << "\", offsetof(" << args << ", "
        << field.name << "), " << (field.is_pointer ? "true" : "false") << "},\n";
  out << "};\nconstexpr KernelParameter kParameters" << index << "[] = {\n";
  for (const Parameter& parameter : kernel.parameters) {
    std::string role = parameter.name == "dst"       ? "kDst"
                       : parameter.name == "scratch" ? "kScratch"
                                                     : "kSrc";
    out << "    {\"" << parameter.name << "\", \"" << parameter.ctype
        << "\", Operand::Role::" << role << "},\n";
  }
  std::set<std::string> seen;
  std::vector<std::string> files;
  collect_files(sources, kernel.source(), seen, files);
  out << "};\nconstexpr std::string_view kFiles" << index << "[] = {\n";
  for (const std::string& file : files) out << "    \"" << file << "\",\n";
  out << "};\n";
  if (kernel.isa == "portable") {
    out << "void invoke" << index << "(const void* args, void* const* pointers) {\n  "
        << kernel.function << "(static_cast<const " << args << "*>(args)";
    for (size_t i = 0; i < kernel.parameters.size(); ++i)
      out << ",\n      static_cast<" << kernel.parameters[i].ctype << ">(pointers[" << i << "])";
    out << ");\n}\n";
  }
  if (kernel.has_scratch)
    out << "int64_t scratch_bytes" << index << "(const void* args) {\n  return " << kernel.function
        << "_scratch_bytes(static_cast<const " << args << "*>(args));\n}\n";
  out << "\n";
}

void write_registry(std::ostream& out, const std::vector<Kernel>& kernels, const Sources& sources) {
  out << "// Generated by kernels/embed.cc from kernels.def and the kernel headers.\n"
         "#include <cstddef>\n\n#include \"lower/kernel_table.h\"\n";
  std::set<std::string> headers;
  for (const Kernel& kernel : kernels) headers.insert(kernel.header());
  for (const std::string& header : headers) out << "#include \"" << header << "\"\n";
  out << "\nnamespace nibble {\nnamespace {\n\n";
  for (size_t i = 0; i < kernels.size(); ++i) write_kernel(out, kernels[i], i, sources);
  out << "const std::vector<KernelInfo>& kernels() {\n"
         "  static const std::vector<KernelInfo> table = {\n";
  for (size_t i = 0; i < kernels.size(); ++i) {
    const Kernel& kernel = kernels[i];
    auto isa = std::find_if(kIsas.begin(), kIsas.end(),
                            [&](auto& row) { return row.first == kernel.isa; });
    std::string n = std::to_string(i);
    out << "      {\"" << kernel.function << "\", \"" << kernel.family << "\", \"" << kernel.folder
        << "\", Isa::" << isa->second << ",\n       \"" << kernel.args_struct() << "\", sizeof("
        << kernel.args_struct() << "), kFields" << n << ", kParameters" << n << ", kFiles" << n
        << ",\n       " << (kernel.isa == "portable" ? "invoke" + n : "nullptr") << ", "
        << (kernel.has_scratch ? "scratch_bytes" + n : "nullptr") << "},\n";
  }
  out << "  };\n  return table;\n}\n\nconstexpr KernelSource kSources[] = {\n";
  for (const auto& [path, text] : sources.text)
    out << "    {\"" << path << "\", " << quoted_text(text) << "},\n";
  out << "};\n\n}  // namespace\n\n"
         "std::span<const KernelInfo> kernel_table() { return kernels(); }\n"
         "std::span<const KernelSource> kernel_source_table() { return kSources; }\n\n"
         "}  // namespace nibble\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: nibble_embed KERNELS_DIR OUT.cc\n";
    return 2;
  }
  fs::path dir = argv[1];
  std::vector<Kernel> kernels = read_rows(dir);
  for (Kernel& kernel : kernels) read_header(dir, kernel);
  Sources sources = read_sources(dir);
  std::ofstream out(argv[2], std::ios::binary);
  write_registry(out, kernels, sources);
  out.close();
  if (!out) fail(argv[2], 1, "cannot be written");
  return 0;
}
