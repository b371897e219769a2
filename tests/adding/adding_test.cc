// The recipes of doc/adding.md, done: copy the tree, apply every block, build the program, and use
// what was added.
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "support/shared_data.h"
#include "support/shell.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

struct Edit {
  std::string file, before, text;  // before empty: a new file
};

// The value of key=... in a fence's info string; quoted values may hold spaces and \" .
std::string fence_value(const std::string& info, const std::string& key) {
  size_t at = info.find(" " + key + "=");
  if (at == std::string::npos) return "";
  at += key.size() + 2;
  if (info[at] != '"') return info.substr(at, info.find(' ', at) - at);
  std::string value;
  for (++at; at < info.size() && info[at] != '"'; ++at) {
    if (info[at] == '\\') ++at;
    value += info[at];
  }
  return value;
}

std::vector<Edit> read_edits(const std::string& document) {
  std::vector<Edit> edits;
  std::istringstream text(document);
  Edit edit;
  bool inside = false, wanted = false;
  for (std::string line; std::getline(text, line);) {
    if (line.rfind("```", 0) != 0) {
      if (inside) edit.text += line + "\n";
      continue;
    }
    if (inside) {
      if (wanted) edits.push_back(edit);
      inside = false;
      continue;
    }
    inside = true;
    std::string new_file = fence_value(line, "new");
    edit = {new_file.empty() ? fence_value(line, "in") : new_file, fence_value(line, "before"), ""};
    wanted = !edit.file.empty();
  }
  return edits;
}

void apply(const Edit& edit, const fs::path& tree) {
  if (edit.before.empty()) {
    ASSERT_FALSE(fs::exists(tree / edit.file)) << edit.file << " exists already";
    spill(tree / edit.file, edit.text);
    return;
  }
  std::istringstream old(slurp(tree / edit.file));
  std::string text;
  bool done = false;
  for (std::string line; std::getline(old, line);) {
    if (!done && line.find(edit.before) != std::string::npos) {
      text += edit.text;
      done = true;
    }
    text += line + "\n";
  }
  ASSERT_TRUE(done) << edit.file << " has no line with: " << edit.before;
  spill(tree / edit.file, text);
}

TEST(Adding, EveryRecipeBuildsAndWorksSlow) {
  std::vector<Edit> edits = read_edits(slurp(source_path("doc/adding.md")));
  ASSERT_GE(edits.size(), 10u);
  fs::path tree = scratch_folder();
  for (const char* name : {"src", "kernels", "cmake", "targets", "ports", "examples", "tests"})
    fs::copy(source_path(name), tree / name, fs::copy_options::recursive);
  fs::copy(source_path("CMakeLists.txt"), tree / "CMakeLists.txt");
  for (const Edit& edit : edits) apply(edit, tree);

  const std::string script = R"(set -euo pipefail
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DNIBBLE_TESTS=OFF >log
cmake --build build --target nibble >>log 2>&1 || { tail -40 log; exit 1; }
example=examples/keyword_spotting
build/nibble quantize $example/kws.onnx --calibration $example/calibration.npz --calibrator three-sigma --method round-down -o kws.nibble
build/nibble inspect kws.nibble >inspected
)";
  ShellResult result = run_shell(script, tree, tree / "build");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  fs::remove_all(tree);
}

}  // namespace
}  // namespace nibble
