// A compiled library as a folder on disk, and back from disk to what a run needs. Beside the C
// stand model.nibble, the integer graph, and library.json, which says what the folder holds.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kRecordFile = "library.json";
constexpr std::string_view kWeightsSuffix = "_weights.h";

// What library.json says; empty fields where there is none.
struct Record {
  std::string name, target, compiler_level;
  CompileOptions compile;
};

std::string record_text(const Compiled& compiled, const Target& target,
                        const std::string& compiler_level) {
  Json json = {{"format", "nibble library 1"},
               {"name", compiled.library.name},
               {"target", target.name},
               {"core", target.core},
               {"optimize", optimize_name(compiled.compile.optimize)},
               {"max_ram_bytes", compiled.compile.max_ram_bytes},
               {"copied_bytes", compiled.compile.copied_bytes ? Json(*compiled.compile.copied_bytes)
                                                              : Json(nullptr)},
               {"compiler_level", compiler_level}};
  return json.dump(1) + "\n";
}

Result<Record> read_record(const fs::path& dir) {
  fs::path path = dir / kRecordFile;
  std::error_code error;
  if (!fs::exists(path, error)) return Record();
  NIBBLE_ASSIGN(std::string text, read_text_file(path));
  Json json = Json::parse(text, nullptr, false);
  auto field = [&](const char* key) {
    auto at = json.is_object() ? json.find(key) : json.end();
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  Record record{field("name"), field("target"), field("compiler_level"), {}};
  // The name becomes the names of files.
  if (field("format") != "nibble library 1" || record.name.empty() ||
      c_identifier(record.name) != record.name)
    return input_error(fmt::format(
        "'{}' does not say what library this is (format, name, target); compile it again",
        path.string()));
  const std::vector<std::string>& levels = compiler_levels();
  if (!record.compiler_level.empty() &&
      std::ranges::find(levels, record.compiler_level) == levels.end())
    return input_error(fmt::format("'{}': compiler_level is '{}'; known: {}", path.string(),
                                   record.compiler_level, join(levels, " ")));
  if (std::string optimize = field("optimize"); !optimize.empty()) {
    Result<Optimize> parsed = parse_optimize(optimize);
    if (!parsed.ok())
      return input_error(fmt::format("'{}': {}", path.string(), parsed.error().message));
    record.compile.optimize = *parsed;
  }
  if (auto at = json.find("max_ram_bytes"); at != json.end()) {
    if (!at->is_number_integer() || at->get<int64_t>() < 0)
      return input_error(fmt::format("'{}': max_ram_bytes is no number of bytes", path.string()));
    record.compile.max_ram_bytes = at->get<int64_t>();
  }
  if (auto at = json.find("copied_bytes"); at != json.end() && !at->is_null()) {
    if (!at->is_number_integer() || at->get<int64_t>() < 0)
      return input_error(fmt::format("'{}': copied_bytes is no number of bytes", path.string()));
    record.compile.copied_bytes = at->get<int64_t>();
  }
  return record;
}

// The library's name from its files, where no record has it.
Result<std::string> name_from_files(const fs::path& dir) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error)) {
    std::string file = entry.path().filename().string();
    if (file.size() > kWeightsSuffix.size() && file.ends_with(kWeightsSuffix))
      found.push_back(file.substr(0, file.size() - kWeightsSuffix.size()));
  }
  std::ranges::sort(found);
  if (found.size() == 1) return found[0];
  if (found.empty())
    return input_error(fmt::format(
        "'{}' holds a {}, but no library: NAME.c, NAME.h and NAME{} are missing; compile it again",
        dir.string(), kModelFile, kWeightsSuffix));
  return input_error(
      fmt::format("'{}' holds several libraries ({}), and no {} says which of them {} is; compile "
                  "each into a folder of its own",
                  dir.string(), join(found, ", "), kRecordFile, kModelFile));
}

Status check_folder(const fs::path& dir) {
  std::error_code error;
  if (fs::exists(dir / kModelFile, error)) return {};
  const char* advice =
      "give a model file, or a folder that `nibble compile` or `nibble deploy` wrote";
  if (fs::exists(dir / kRecordFile, error))
    return input_error(
        fmt::format("'{}' holds a library, but no {} to compare it with (one compiled from a "
                    ".program has none); compile the model again",
                    dir.string(), kModelFile));
  return input_error(
      fmt::format("'{}' holds no {}: it is no library; {}", dir.string(), kModelFile, advice));
}

// What NAME.c needs to compile; the rest is for people.
bool is_source(const std::string& path) {
  return path.find('/') == std::string::npos && (path.ends_with(".c") || path.ends_with(".h"));
}

}  // namespace

const std::vector<std::string>& compiler_levels() {
  static const std::vector<std::string> kLevels = {"-O1", "-O2", "-O3", "-Os"};
  return kLevels;
}

const std::string& default_compiler_level(Optimize optimize) {
  return compiler_levels()[optimize == Optimize::kSize ? 3 : 1];
}

Result<std::vector<std::string>> write_compiled(const Compiled& compiled, const Graph* graph,
                                                const Target& target, const fs::path& dir,
                                                const FolderOptions& options) {
  std::vector<FolderFile> beside = {
      {{kRecordFile, record_text(compiled, target, options.compiler_level)},
       "what the library was compiled for, for `nibble run`"}};
  if (graph) {
    std::vector<uint8_t> model = nibble_bytes(*graph);
    beside.push_back({{kModelFile, std::string(model.begin(), model.end())},
                      "the integer model that the C computes, for `nibble run`"});
  }
  beside.insert(beside.end(), options.extra.begin(), options.extra.end());

  EmitOptions emitted = compiled.options;
  emitted.accuracy_note = options.accuracy_note;
  emitted.code_bytes = options.code_bytes;
  emitted.stack_bytes = options.stack_bytes;
  // Without the target's compiler the README says how to find the figure instead.
  if (emitted.code_bytes == 0) {
    Result<FlashBytes> flash =
        measure_flash(compiled.library, compiled.program, target, options.compiler_level);
    if (flash.ok()) emitted.code_bytes = flash->code;
  }
  emitted.code_note = fmt::format("{} {}", compiler_of(target), options.compiler_level);
  for (const FolderFile& file : beside)
    emitted.files_beside.push_back({file.file.path, file.meaning});
  NIBBLE_TRY(check_budget(compiled.library, emitted.code_bytes, target));
  NIBBLE_ASSIGN(Library library, emit(compiled.program, compiled.plan, emitted));
  for (FolderFile& file : beside) library.files.push_back(std::move(file.file));
  std::error_code unused;  // what cannot be created is reported by write_library, with its reason
  if (dir.has_parent_path()) fs::create_directories(dir.parent_path(), unused);
  NIBBLE_TRY(write_library(library, dir));
  std::vector<std::string> paths;
  for (const EmittedFile& file : library.files) paths.push_back(file.path);
  return paths;
}

Result<std::string> recorded_target(const fs::path& dir) {
  NIBBLE_TRY(check_folder(dir));
  NIBBLE_ASSIGN(Record record, read_record(dir));
  if (!record.target.empty()) return record.target;
  return usage_error(
      fmt::format("'{}' does not say which target it was compiled for (it has no {}); give "
                  "--target T, see `nibble targets`",
                  dir.string(), kRecordFile));
}

Result<std::string> recorded_compiler_level(const fs::path& dir) {
  NIBBLE_TRY(check_folder(dir));
  NIBBLE_ASSIGN(Record record, read_record(dir));
  return record.compiler_level.empty() ? RunOptions().compiler_level : record.compiler_level;
}

Result<Compiled> read_compiled(const fs::path& dir, const Target& target, Graph* graph) {
  NIBBLE_TRY(check_folder(dir));
  NIBBLE_ASSIGN(*graph, read_nibble(dir / kModelFile));
  NIBBLE_ASSIGN(Record record, read_record(dir));
  if (record.name.empty()) {
    NIBBLE_ASSIGN(record.name, name_from_files(dir));
  }
  // The C was written for the target on record, wherever it runs now.
  Target made_for = target;
  if (!record.target.empty() && record.target != target.name)
    if (Result<Target> found = find_target(record.target); found.ok()) made_for = *found;
  NIBBLE_ASSIGN(Compiled compiled, compile(*graph, made_for, record.name, record.compile));
  std::vector<EmittedFile>& files = compiled.library.files;
  std::erase_if(files, [](const EmittedFile& file) { return !is_source(file.path); });
  // What runs is the C on disk, edited or not; the run compares its outputs with the graph's.
  for (EmittedFile& file : files) {
    std::error_code error;
    if (!fs::exists(dir / file.path, error))
      return input_error(
          fmt::format("'{}' is missing: the library in '{}' is not whole; compile it again",
                      (dir / file.path).string(), dir.string()));
    NIBBLE_ASSIGN(file.text, read_text_file(dir / file.path));
  }
  return compiled;
}

}  // namespace nibble
