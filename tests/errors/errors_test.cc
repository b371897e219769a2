// Runs the cases of tests/errors/cases as a user would and checks exit code, message, and that no
// file is left half-written.
//
// A case is a text file:
//   # what it is about
//   % printf garbage >broken.tflite        set-up, any shell command, with the functions of
//                                          make_data.sh; $EXAMPLE is the shipped example's folder,
//                                          $MODELS the real models, $SPOILED_TFLITE writes a
//                                          .tflite spoiled in a way it is told; exit 77 skips the
//                                          case
//   $ nibble inspect broken.tflite         the command; the last one counts
//   exit 1
//   says neither a TFLite nor an ONNX      a part of stderr; several lines allowed
//   prints "supported": false              a part of stdout
//   absent out.nibble                      must not exist afterwards
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "support/shared_data.h"
#include "support/shell.h"

namespace nibble {
namespace {

struct ErrorCase {
  std::string name, setup, command;
  int exit_code = 1;
  std::vector<std::string> says, prints, absent;
};

void PrintTo(const ErrorCase& error, std::ostream* out) { *out << error.command; }

ErrorCase read_case(const std::filesystem::path& path) {
  ErrorCase result;
  result.name = path.stem().string();
  std::istringstream text(slurp(path));
  for (std::string line; std::getline(text, line);) {
    auto rest = [&](size_t skip) { return line.substr(skip); };
    if (line.rfind("% ", 0) == 0) result.setup += rest(2) + "\n";
    if (line.rfind("$ ", 0) == 0) result.command = rest(2);
    if (line.rfind("exit ", 0) == 0) result.exit_code = std::stoi(rest(5));
    if (line.rfind("says ", 0) == 0) result.says.push_back(rest(5));
    if (line.rfind("prints ", 0) == 0) result.prints.push_back(rest(7));
    if (line.rfind("absent ", 0) == 0) result.absent.push_back(rest(7));
  }
  return result;
}

std::vector<ErrorCase> all_cases() {
  std::vector<ErrorCase> cases;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("tests/errors/cases")))
    cases.push_back(read_case(entry.path()));
  return cases;
}

class Errors : public testing::TestWithParam<ErrorCase> {};

TEST_P(Errors, SaysWhatWhereAndWhatToDo) {
  const ErrorCase& error = GetParam();
  std::filesystem::path folder = scratch_folder();
  std::filesystem::path program_folder = std::filesystem::path(NIBBLE_PROGRAM).parent_path();
  std::string environment = "export EXAMPLE='" + source_path("examples/keyword_spotting").string() +
                            "'\nexport MODELS='" + shared_path("data/models").string() +
                            "'\nexport SPOILED_TFLITE='" NIBBLE_SPOILED_TFLITE "'\n. '" +
                            source_path("tests/errors/make_data.sh").string() + "'\n";
  ShellResult setup = run_shell(environment + "set -e\n" + error.setup, folder, program_folder);
  if (setup.exit_code == 77) GTEST_SKIP() << "left out: " << setup.err;
  ASSERT_EQ(setup.exit_code, 0) << setup.err;
  ShellResult result = run_shell(environment + error.command, folder, program_folder);
  EXPECT_EQ(result.exit_code, error.exit_code) << result.out << result.err;
  for (const std::string& part : error.says)
    EXPECT_NE(result.err.find(part), std::string::npos)
        << "expected: " << part << "\nstderr:   " << result.err;
  for (const std::string& part : error.prints)
    EXPECT_NE(result.out.find(part), std::string::npos)
        << "expected: " << part << "\nstdout:   " << result.out;
  for (const std::string& file : error.absent)
    EXPECT_FALSE(std::filesystem::exists(folder / file)) << file;
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Cases, Errors, testing::ValuesIn(all_cases()),
                         [](const auto& param_info) { return param_info.param.name; });

}  // namespace
}  // namespace nibble
