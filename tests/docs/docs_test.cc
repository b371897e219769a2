// Runs the first ```sh block of README.md and of every document, from a copy of what it may read,
// and expects success.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "support/shared_data.h"
#include "support/shell.h"

namespace nibble {
namespace {

// The text between ```sh and ```; empty if there is none.
std::string first_example(const std::string& text) {
  size_t begin = text.find("```sh\n");
  if (begin == std::string::npos) return "";
  begin += 6;
  return text.substr(begin, text.find("```", begin) - begin);
}

std::vector<std::string> documents() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("doc")))
    if (entry.path().extension() == ".md") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

class Document : public testing::TestWithParam<std::string> {};

TEST_P(Document, BeginsWithAnExampleThatRuns) {
  std::string text = slurp(source_path("doc/" + GetParam() + ".md"));
  std::string example = first_example(text);
  ASSERT_FALSE(example.empty()) << "a document begins with an example in a ```sh block";
  std::filesystem::path folder = scratch_folder();
  for (const char* name :
       {"examples", "kernels", "targets", "ports", "src", "tests", "doc", "cmake"})
    std::filesystem::create_symlink(source_path(name), folder / name);
  ShellResult result = run_shell("set -euo pipefail\n" + example, folder,
                                 std::filesystem::path(NIBBLE_PROGRAM).parent_path());
  EXPECT_EQ(result.exit_code, 0) << example << result.out << result.err;
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Doc, Document, testing::ValuesIn(documents()),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace nibble
