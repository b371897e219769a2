// Prints the table of all real models as Markdown: what each is, what it costs in MACs, and whether
// it matches its recording or what is missing. nibble_model_table > doc/models.md
#include <cstdio>
#include <string>

#include "base/text.h"
#include "golden/golden.h"
#include "ops/ops.h"

namespace nibble::golden {
namespace {

// What is not supported, without the list of what is.
std::string reason(const std::string& message) {
  std::vector<std::string> kinds;
  for (const std::string& line : split(message, '\n')) {
    auto colon = line.find(": ");
    if (line.rfind("  operator", 0) != 0 || colon == std::string::npos) continue;
    std::string kind = line.substr(colon + 2);
    kind = kind.substr(0, kind.find_first_of("(,"));
    kind = std::string(trim(kind));
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  if (!kinds.empty()) return "missing: " + join(kinds, ", ");
  auto colon = message.find(": ");
  return "not supported: " + (colon == std::string::npos ? message : message.substr(colon + 2));
}

std::string verdict_of(const std::string& file, const Graph& graph) {
  auto recording = random_recording(file);
  if (!recording.ok()) return recording.error().message;
  if (!*recording) return "reads; no recording";
  bool exact = is_integer_model(graph) && file.find(".tflite") != std::string::npos;
  auto verdict = compare(run_samples(graph, (*recording)->inputs), (*recording)->outputs, exact,
                         is_integer_model(graph) ? 0.05 : kRelative);
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
  std::fflush(stdout);
}

}  // namespace
}  // namespace nibble::golden

int main() {
  auto files = nibble::golden::model_files("");
  if (files.empty()) {
    std::fprintf(stderr, "../shared/data/models is missing\n");
    return 1;
  }
  std::printf("| model | arithmetic | MACs | against its recording |\n|---|---|---:|---|\n");
  for (const std::string& file : files) nibble::golden::print_row(file);
  return 0;
}
