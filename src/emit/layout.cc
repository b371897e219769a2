// Names: the library's prefix, its ports, argument structs and constants, none of which may meet
// another, a C keyword or a header of the standard library.
#include "emit/layout.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/text.h"

namespace nibble {
namespace {

constexpr size_t kMaxNameChars = 40;

// NAME.h must not hide a standard header, nor NAME be a reserved target of CMake.
constexpr std::array<std::string_view, 32> kTakenNames = {
    "assert", "complex", "ctype",  "errno",  "fenv",   "float_", "inttypes",  "iso646",
    "limits", "locale",  "math",   "setjmp", "signal", "stdarg", "stdatomic", "stdbool",
    "stddef", "stdint",  "stdio",  "stdlib", "string", "tgmath", "threads",   "time",
    "uchar",  "wchar",   "wctype", "all",    "clean",  "help",   "install",   "test"};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string shortened(std::string name) {
  return name.size() <= kMaxNameChars ? name
                                      : c_identifier(name.substr(name.size() - kMaxNameChars));
}

std::string library_name(const std::string& wanted) {
  std::string name = wanted.empty() ? "model" : c_identifier(wanted);
  if (name.size() > kMaxNameChars) name.resize(kMaxNameChars);
  while (name.size() > 1 && name.back() == '_') name.pop_back();
  std::string small = lower_case(name);
  bool taken = std::find(kTakenNames.begin(), kTakenNames.end(), small) != kTakenNames.end() ||
               small == "float" || small == "main" || small == "package" || small == "test";
  // nibble_ is the prefix of the kernels.
  if (taken || small.starts_with("nibble")) name = "model_" + name;
  return c_identifier(name);
}

std::string unique(std::string wanted, std::set<std::string>& taken) {
  std::string name = wanted;
  for (int n = 2; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", wanted, n);
  return name;
}

std::vector<LibraryPort> make_ports(const Layout& layout, const std::vector<ProgramPort>& ports,
                                    const std::string& direction) {
  std::vector<LibraryPort> result;
  std::set<std::string> taken;
  for (const ProgramPort& port : ports) {
    std::string c_name = direction;
    if (ports.size() > 1) {
      c_name = shortened(c_identifier(port.name));
      if (!lower_case(c_name).starts_with(direction)) c_name = direction + "_" + c_name;
      // Macros are in upper case, so names must differ without it too.
      c_name = unique(lower_case(c_name), taken);
    }
    LibraryPort entry;
    entry.name = port.name;
    entry.c_name = c_name;
    entry.macro = layout.macro + "_" + upper(c_name);
    entry.ctype = std::string(ctype_of(port.type.dtype));
    entry.elems = elem_count(port.type.shape);
    entry.bytes = entry.elems * dtype_bytes(port.type.dtype);
    entry.arena_offset_bytes =
        std::max<int64_t>(0, layout.plan.offsets[static_cast<size_t>(port.buffer)]) +
        port.offset_bytes;
    result.push_back(std::move(entry));
  }
  return result;
}

}  // namespace

Layout make_layout(const Program& program, const MemoryPlan& plan, const EmitOptions& options) {
  Layout layout{program, plan, options, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  layout.name = library_name(options.name.empty() ? program.name : options.name);
  layout.macro = upper(layout.name);
  layout.arena_bytes = std::max<int64_t>(1, plan.arena_bytes);
  layout.inputs = make_ports(layout, program.inputs, "input");
  layout.outputs = make_ports(layout, program.outputs, "output");
  std::set<std::string> taken;
  for (const ConstantData& constant : program.constants)
    layout.constant_names.push_back(unique(layout.name + "_" + constant.name, taken));
  layout.layers = layer_calls(program);
  layout.constant_used.assign(program.constants.size(), false);
  for (const KernelCall* call : layout.layers) {
    std::string layer = shortened(c_identifier(call->layer.substr(0, call->layer.find(';'))));
    layout.args_names.push_back(unique(layout.name + "_" + layer + "_args", taken));
    layout.kernels.push_back(call->function < 0 ? find_kernel(call->kernel) : nullptr);
    NIBBLE_CHECK(call->function >= 0 || layout.kernels.back() != nullptr, "{}", call->kernel);
    for (int index : constants_of(*call)) layout.constant_used[static_cast<size_t>(index)] = true;
  }
  return layout;
}

int64_t Layout::weight_bytes() const {
  int64_t bytes = 0;
  for (size_t i = 0; i < constant_used.size(); ++i)
    if (constant_used[i]) bytes += static_cast<int64_t>(program.constants[i].bytes.size());
  return bytes;
}

int64_t Layout::copied_bytes() const {
  int64_t bytes = 0;
  for (size_t i = 0; i < constant_used.size(); ++i)
    if (constant_used[i] && program.constants[i].in_ram)
      bytes += static_cast<int64_t>(program.constants[i].bytes.size());
  return bytes;
}

std::string parameter_list(const Layout& layout) {
  std::string text;
  for (const LibraryPort& port : layout.inputs)
    text += fmt::format("{}const {} *{}", text.empty() ? "" : ", ", port.ctype, port.c_name);
  for (const LibraryPort& port : layout.outputs)
    text += fmt::format("{}{} *{}", text.empty() ? "" : ", ", port.ctype, port.c_name);
  return text;
}

std::string comment_text(std::string_view text) {
  std::string safe;
  for (char c : text) {
    char kept = c >= ' ' && c <= '~' && c != '\\' ? c : '?';
    if (!safe.empty()) {
      bool closes = (safe.back() == '*' && kept == '/') || (safe.back() == '/' && kept == '*');
      bool trigraph = safe.back() == '?' && kept == '?';
      if (closes || trigraph) safe += ' ';
    }
    safe += kept;
  }
  return safe;
}

std::string c_float(float value) {
  if (std::isnan(value)) return "(0.0f / 0.0f)";
  if (std::isinf(value)) return value > 0 ? "(1.0f / 0.0f)" : "(-1.0f / 0.0f)";
  std::string text = format_float(value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

std::string c_integer(int64_t value) {
  if (value == std::numeric_limits<int32_t>::min()) return "INT32_MIN";
  if (value == std::numeric_limits<int64_t>::min()) return "INT64_MIN";
  bool wide =
      value > std::numeric_limits<int32_t>::max() || value < std::numeric_limits<int32_t>::min();
  return fmt::format("{}{}", value, wide ? "LL" : "");
}

std::string meaning_of(const TensorType& type) {
  if (!type.quant || !type.quant->per_tensor() || type.quant->scale.size() != 1 ||
      type.quant->zero_point.size() != 1)
    return "";
  int64_t zero_point = type.quant->zero_point[0];
  std::string scale = format_float(type.quant->scale[0]);
  if (zero_point == 0) return scale + " * q";
  return fmt::format("{} * (q {} {})", scale, zero_point < 0 ? '+' : '-', std::abs(zero_point));
}

int64_t argument_bytes(const Program& program) {
  int64_t bytes = 0;
  for (const KernelCall* layer : layer_calls(program))
    if (layer->function < 0) bytes += 4 * static_cast<int64_t>(layer->fields.size());
  return bytes;
}

std::vector<int> first_layers_of_constants(const Program& program) {
  std::vector<int> first(program.constants.size(), -1);
  const std::vector<const KernelCall*> layers = layer_calls(program);
  for (size_t layer = layers.size(); layer-- > 0;)
    for (int index : constants_of(*layers[layer]))
      first[static_cast<size_t>(index)] = static_cast<int>(layer);
  return first;
}

std::vector<int64_t> weight_bytes_by_layer(const Program& program) {
  std::vector<int64_t> result(layer_calls(program).size());
  const std::vector<int> first = first_layers_of_constants(program);
  for (size_t i = 0; i < first.size(); ++i)
    if (first[i] >= 0)
      result[static_cast<size_t>(first[i])] +=
          static_cast<int64_t>(program.constants[i].bytes.size());
  return result;
}

int64_t flash_data_bytes(const Program& program) {
  const std::vector<int64_t> weights = weight_bytes_by_layer(program);
  return std::accumulate(weights.begin(), weights.end(), argument_bytes(program));
}

std::string_view operand_ctype(const Layout& layout, size_t layer, size_t operand) {
  const KernelCall& call = *layout.layers[layer];
  if (call.function < 0) return layout.kernels[layer]->parameters[operand].ctype;
  return layout.program.functions[static_cast<size_t>(call.function)].parameters[operand];
}

std::string value_text(const Layout& layout, const FieldValue& value) {
  if (const auto* ref = std::get_if<ConstantRef>(&value))
    return layout.constant_names[static_cast<size_t>(ref->index)];
  return c_integer(std::get<int64_t>(value));
}

std::string layer_comment(const Layout& layout, size_t layer, const std::string& indent) {
  const KernelCall& call = *layout.layers[layer];
  std::string macs = call.macs > 0 ? fmt::format(", {} MACs", with_thousands(call.macs)) : "";
  return fmt::format("{}/* {}: {} \"{}\", {}{} */\n", indent, layer, comment_text(call.op),
                     comment_text(call.layer), comment_text(call.shapes), macs);
}

std::string wrapped_call(const std::string& indent, const std::string& function,
                         const std::vector<std::string>& arguments) {
  std::string text, line = indent + function + "(";
  const std::string behind(line.size(), ' ');
  std::string separator;
  for (const std::string& argument : arguments) {
    if (!separator.empty() && line.size() + argument.size() + 4 > 100) {
      text += line + ",\n";
      line = behind + argument;
    } else {
      line += separator + argument;
    }
    separator = ", ";
  }
  return text + line + ");\n";
}

std::string hook_text(const Layout& layout, size_t layer, const std::string& indent) {
  return fmt::format("{}{}_LAYER_HOOK({});\n", indent, layout.macro, layer);
}

}  // namespace nibble
