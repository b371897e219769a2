// Runs a folder of ONNX's test suites (model.onnx with test_data_set_N/input_K.pb and output_K.pb)
// through the reader and the interpreter.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace nibble {

enum class Verdict { kPassed, kWrong, kUnsupported };

struct CaseResult {
  Verdict verdict = Verdict::kUnsupported;
  std::string detail;  // the reader's error, or what differs
};

struct SuiteOptions {
  bool simplify = false;  // run the passes between reading and executing
  double tolerance = 1e-4;
};

// Each data set of the case, first with all inputs as inputs, then with all but the first as
// constants; the graph has no products of activations, so that is how most weights reach it.
CaseResult run_onnx_case(const std::filesystem::path& folder, const SuiteOptions& options);

}  // namespace nibble
