// Where targets and the other files that come with the program are: beside an installed executable,
// or in the source tree of a built one.
#include "target/folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "target/target.h"

namespace nibble {

namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<fs::path>& added_folders() {
  static std::vector<fs::path> folders;
  return folders;
}

}  // namespace

fs::path shipped_folder(std::string_view kind) {
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    fs::path installed = program.parent_path().parent_path() / "share" / "nibble" / kind;
    if (is_folder(installed)) return installed;
  }
  fs::path source = fs::path(NIBBLE_TARGET_SOURCE_DIR) / kind;
  return is_folder(source) ? source : fs::path();
}

void add_target_folder(const fs::path& folder) { added_folders().push_back(folder); }

std::vector<fs::path> target_folders() {
  std::vector<fs::path> folders = added_folders();
  if (const char* variable = std::getenv("NIBBLE_TARGETS"))
    for (const std::string& folder : split(variable, ':'))
      if (!folder.empty()) folders.emplace_back(folder);
  if (fs::path shipped = shipped_folder("targets"); !shipped.empty()) folders.push_back(shipped);
  return folders;
}

Result<std::vector<fs::path>> catalogue_files(std::string_view below) {
  std::vector<fs::path> files;
  for (const fs::path& folder : target_folders()) {
    std::error_code error;
    fs::directory_iterator entries(folder / below, error);
    if (error && below.empty())
      return input_error("target folder " + folder.string() + ": " + error.message() +
                         "; check --target-dir and $NIBBLE_TARGETS");
    if (error) continue;
    for (const fs::directory_entry& entry : entries) {
      const fs::path& path = entry.path();
      if (path.extension() != ".toml") continue;
      bool hidden = std::any_of(files.begin(), files.end(),
                                [&](const fs::path& file) { return file.stem() == path.stem(); });
      if (!hidden) files.push_back(path);
    }
  }
  return files;
}

namespace {

constexpr size_t kMostNamed = 6;

// Names that begin so, targets with that core, or the nearest name; in quotes.
std::vector<std::string> targets_like(const std::string& name, const std::vector<fs::path>& files) {
  std::vector<std::string> names, alike;
  for (const fs::path& file : files) {
    names.push_back(file.stem().string());
    Result<Target> target = read_target(file);
    const bool has_core = target.ok() && target->core == name;
    if (!name.empty() && (names.back().starts_with(name) || has_core))
      alike.push_back("'" + names.back() + "'");
  }
  std::ranges::sort(alike);
  if (alike.size() > kMostNamed) {
    const size_t more = alike.size() - kMostNamed;
    alike.resize(kMostNamed);
    alike.push_back(fmt::format("{} more", more));
  }
  if (alike.empty())
    if (std::string near = nearest_word(name, names); !near.empty())
      alike.push_back("'" + near + "'");
  return alike;
}

}  // namespace

Result<Target> find_target(const std::string& name) {
  NIBBLE_ASSIGN(std::vector<fs::path> files, catalogue_files(""));
  std::vector<std::string> names;
  for (const fs::path& file : files) {
    if (file.stem() == name) return read_target(file);
    names.push_back(file.stem().string());
  }
  std::string message =
      name.empty() ? "the name of the target is empty" : "no target is called '" + name + "'";
  if (std::vector<std::string> near = targets_like(name, files); !near.empty())
    message += "; did you mean " + join(near, " or ") + "?";
  if (names.empty())
    message += "; no folder with targets was found: set $NIBBLE_TARGETS to one";
  else
    message += fmt::format(
        "; nibble targets lists the {} that are known. Others: a TOML file in a folder of yours, "
        "nibble --target-dir FOLDER VERB ...",
        names.size());
  return input_error(message);
}

Result<std::vector<Target>> all_targets() {
  NIBBLE_ASSIGN(std::vector<fs::path> files, catalogue_files(""));
  std::vector<Target> targets;
  for (const fs::path& file : files) {
    NIBBLE_ASSIGN(Target target, read_target(file));
    targets.push_back(std::move(target));
  }
  std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    if (a.emulator_board != b.emulator_board) return b.emulator_board;
    return a.name < b.name;
  });
  return targets;
}

}  // namespace nibble
