// ONNX's own conformance suites: whatever the reader accepts must compute what ONNX defines, and
// what it does not accept must be named in a clear error.
#include "conformance/onnx_suite.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

struct Tally {
  int passed = 0, wrong = 0, unsupported = 0;
};

std::vector<fs::path> case_folders(const fs::path& root) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.path().filename() == "model.onnx") folders.push_back(entry.path().parent_path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

Tally run_suite(const std::string& archive, const SuiteOptions& options,
                const std::string& only = "") {
  Tally tally;
  auto temp = TempDir::create();
  EXPECT_TRUE(temp.ok());
  std::string command =
      "tar xzf '" + shared_path(archive).string() + "' -C '" + temp->path().string() + "'";
  if (std::system(command.c_str()) != 0) {
    ADD_FAILURE() << command;
    return tally;
  }
  const char* chatty = std::getenv("NIBBLE_CONFORMANCE_LIST");
  for (const fs::path& folder : case_folders(temp->path())) {
    std::string name = folder.filename().string();
    if (folder.string().find(only) == std::string::npos) continue;
    CaseResult result = run_onnx_case(folder, options);
    tally.passed += result.verdict == Verdict::kPassed;
    tally.unsupported += result.verdict == Verdict::kUnsupported;
    if (result.verdict == Verdict::kUnsupported) {
      EXPECT_GT(result.detail.size(), 10U) << name;
    }
    if (result.verdict == Verdict::kWrong) {
      ++tally.wrong;
      ADD_FAILURE() << name << ": " << result.detail;
    }
    if (chatty) {
      const char* words[] = {"passed", "WRONG", "unsupported"};
      std::string detail = result.detail.substr(0, result.detail.find("supported are:"));
      std::replace(detail.begin(), detail.end(), '\n', ' ');
      std::printf("%s %s %s\n", words[static_cast<int>(result.verdict)], name.c_str(),
                  detail.c_str());
    }
  }
  std::printf("%s: %d passed, %d wrong, %d not supported\n", archive.c_str(), tally.passed,
              tally.wrong, tally.unsupported);
  return tally;
}

TEST(OnnxNodeTests, AsRead) {
  NIBBLE_NEED_SHARED("data/conformance/onnx_node_tests.tar.gz");
  EXPECT_GT(run_suite("data/conformance/onnx_node_tests.tar.gz", {}).passed, 200);
}

TEST(OnnxNodeTests, Simplified) {
  NIBBLE_NEED_SHARED("data/conformance/onnx_node_tests.tar.gz");
  SuiteOptions options;
  options.simplify = true;
  EXPECT_GT(run_suite("data/conformance/onnx_node_tests.tar.gz", options).passed, 200);
}

TEST(OnnxModelTests, SlowAsRead) {
  NIBBLE_NEED_SHARED("data/conformance/onnx_model_tests.tar.gz");
  EXPECT_GT(run_suite("data/conformance/onnx_model_tests.tar.gz", {}).passed, 0);
}

}  // namespace
}  // namespace nibble
