// Prints doc/models.md: every real model, what it costs in MACs, and whether it matches its
// recording or what is missing for it. nibble_model_table > doc/models.md
#include <algorithm>
#include <cstdio>
#include <string>

#include "base/text.h"
#include "golden/golden.h"
#include "ops/ops.h"

namespace nibble::golden {
namespace {

constexpr const char* kHead =
    "# Real models\n\n"
    "```sh\n"
    "# Any model of yours: what is in it, and whether all of it is supported.\n"
    "nibble inspect examples/keyword_spotting/kws.onnx\n"
    "```\n\n"
    "Every model under `../shared/data/models` against the outputs that other engines gave on the "
    "same random inputs\n"
    "(`../shared/data/golden/random`): TensorFlow Lite Micro's reference kernels for `.tflite`, "
    "ONNX Runtime for `.onnx`.\n"
    "Integer `.tflite` models are equal byte for byte, float models within 1e-4 of the largest "
    "value. Integer ONNX (QDQ) models\n"
    "run on integers here and partly on floats there; their row says how far apart that is. This "
    "page is the output of\n"
    "`nibble_model_table`; the same comparisons, also on whole evaluation sets, are tests in "
    "`tests/golden`.\n\n"
    "| model | arithmetic | MACs | result |\n|---|---|---:|---|\n";

// The operators that the readers' messages list, each once.
std::vector<std::string> missing_operators(const std::string& message) {
  std::vector<std::string> kinds;
  for (const std::string& line : split(message, '\n')) {
    std::string kind;
    // "operator 3: KIND", but "operator 3 (KIND 'name'): why" where only that use is not supported.
    bool use_only = line.find(" (", 11) < line.find(':');
    if (line.rfind("  operator ", 0) == 0 && !use_only) {
      kind = line.substr(line.find(": ") + 2);
      kind = kind.substr(0, kind.find_first_of("(,"));
    } else if (line.rfind("  node '", 0) == 0 && line.find("', ") != std::string::npos) {
      kind = line.substr(line.find("', ") + 3);
      kind = kind.substr(0, kind.find(':'));
    }
    kind = std::string(trim(kind));
    if (!kind.empty() && std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
      kinds.push_back(kind);
  }
  return kinds;
}

std::string reason(const std::string& message) {
  auto kinds = missing_operators(message);
  if (!kinds.empty()) return "missing: " + join(kinds, ", ");
  // Of several uses the first.
  auto begin = message.find("\n  operator ");
  auto text = message.substr(begin == std::string::npos ? 0 : begin + 1);
  text = text.substr(0, text.find_first_of(";\n"));
  auto cause = text.rfind("): ");
  return "not supported: " + (cause == std::string::npos ? text : text.substr(cause + 3));
}

int64_t arg_max(const Tensor& tensor) {
  auto elems = tensor.data<float>();
  return std::max_element(elems.begin(), elems.end()) - elems.begin();
}

// Integer execution of a model that the other engine ran partly in floats.
std::string distance(const std::vector<Sample>& got, const std::vector<Sample>& expected) {
  double worst = 0, largest = 0;
  size_t same = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    Tensor mine = got[i][0];
    if (mine.dtype() != DType::kF32) mine = dequantize_tensor(mine);
    auto a = mine.data<float>(), b = expected[i][0].data<float>();
    if (a.size() != b.size()) return "outputs of another size";
    for (size_t k = 0; k < a.size(); ++k) {
      worst = std::max(worst, std::abs(static_cast<double>(a[k]) - static_cast<double>(b[k])));
      largest = std::max(largest, std::abs(static_cast<double>(b[k])));
    }
    same += arg_max(mine) == arg_max(expected[i][0]) ? 1 : 0;
  }
  return fmt::format(
      "{}: arg-max equal on {} of {} samples, largest difference {:.2g} at values up to {:.2g}",
      same == got.size() ? "passes" : "differs", same, got.size(), worst, largest);
}

std::string verdict_of(const std::string& file, const Graph& graph) {
  auto recording = random_recording(file);
  if (!recording.ok()) return recording.error().message;
  if (!*recording) return "runs; nothing was recorded for it";
  auto outputs = run_samples(graph, (*recording)->inputs);
  bool exact = is_integer_model(graph);
  if (exact && file.find(".onnx") != std::string::npos)
    return distance(outputs, (*recording)->outputs);
  auto verdict = compare(outputs, (*recording)->outputs, exact);
  return (verdict.equal ? "passes: " : "differs: ") + verdict.text;
}

void print_row(const std::string& file) {
  auto graph = load_model(file, true);
  if (!graph.ok()) {
    std::printf("| %s | | | %s |\n", file.c_str(), reason(graph.error().message).c_str());
    return;
  }
  int64_t macs = 0;
  for (const Node& node : graph->nodes) macs += node_macs(*graph, node);
  std::printf("| %s | %s | %s | %s |\n", file.c_str(),
              is_integer_model(*graph) ? "integer" : "float", with_thousands(macs).c_str(),
              verdict_of(file, *graph).c_str());
}

}  // namespace
}  // namespace nibble::golden

int main() {
  auto files = nibble::golden::model_files("");
  if (files.empty()) {
    std::fprintf(stderr, "../shared/data/models is missing\n");
    return 1;
  }
  std::fputs(nibble::golden::kHead, stdout);
  for (const std::string& file : files) nibble::golden::print_row(file);
  return 0;
}
