// What the MLPerf Tiny int8 models cost on an emulated core, beside the recorded peer (TensorFlow
// Lite Micro with CMSIS-NN).
//   nibble_cost_table [target...]      default: mps2-an386 (Cortex-M4)
// Exits with 1 if a row failed or the peer's figures are missing; the others are printed all the
// same.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "lower/lower.h"
#include "pipeline/pipeline.h"
#include "shared_folder.h"

namespace nibble {
namespace {

struct BenchModel {
  std::string key, file;
};
const std::vector<BenchModel> kModels = {{"ic", "mlperf_tiny/ic_resnet8_int8.tflite"},
                                         {"kws", "mlperf_tiny/kws_dscnn_int8.tflite"},
                                         {"vww", "mlperf_tiny/vww_mobilenetv1_int8.tflite"},
                                         {"ad", "mlperf_tiny/ad01_int8.tflite"}};

// The baseline's input pattern A: x[i] = (37 i mod 255) - 128.
Tensor pattern_a(const TensorType& type) {
  Tensor input(type);
  for (int64_t i = 0; i < input.size(); ++i) input.set_integer_at(i, i * 37 % 255 - 128);
  return input;
}

std::string beside(int64_t ours, const nlohmann::json& theirs) {
  if (theirs.is_null()) return with_thousands(ours);
  auto peer = theirs.get<int64_t>();
  return fmt::format("{} / {} ({:.2f})", with_thousands(ours), with_thousands(peer),
                     static_cast<double>(peer) / static_cast<double>(ours));
}

Result<std::vector<std::string>> table_row(const BenchModel& model, const Target& target,
                                           const nlohmann::json& peer) {
  NIBBLE_ASSIGN(Graph graph, import_model(shared_folder() / "data/models" / model.file));
  NIBBLE_ASSIGN(Compiled compiled, compile(graph, target, model.key));
  std::vector<std::vector<Tensor>> samples = {{pattern_a(graph.type(graph.inputs[0].value))}};
  NIBBLE_ASSIGN(RunResult run, run_on_target(compiled.library, compiled.program, target, samples));
  auto figure = [&](const char* key) {
    return peer.is_object() ? peer.value(key, nlohmann::json()) : nlohmann::json();
  };
  double per_mac =
      static_cast<double>(run.instructions_per_inference) / static_cast<double>(run.macs);
  return std::vector<std::string>{
      model.key,
      beside(run.instructions_per_inference, figure("instructions_per_inference")),
      fmt::format("{:.2f}", per_mac),
      beside(run.flash.code, figure("flash_code_bytes")),
      beside(run.flash.weights, figure("flash_model_bytes")),
      beside(run.ram.arena, figure("arena_bytes")),
      beside(run.ram.stack, figure("stack_bytes"))};
}

int run(int argc, char** argv) {
  std::vector<std::string> targets(argv + 1, argv + argc);
  if (targets.empty()) targets = {"mps2-an386"};
  nlohmann::json baseline = nlohmann::json::object();
  Result<std::string> text = read_text_file(shared_folder() / "baseline/tflm_cmsis_nn.json");
  int failures = 0;
  if (text.ok()) {
    baseline = nlohmann::json::parse(*text)["best"];
  } else {
    std::fprintf(stderr, "%s\n", text.error().message.c_str());
    ++failures;
  }
  for (const std::string& name : targets) {
    Result<Target> target = find_target(name);
    if (!target.ok()) {
      std::fprintf(stderr, "%s\n", target.error().message.c_str());
      return static_cast<int>(target.error().kind);
    }
    nlohmann::json peer = baseline.value(target->core, nlohmann::json::object());
    std::vector<std::vector<std::string>> rows = {
        {"model", "instructions", "per MAC", "code bytes", "weights and tables", "arena", "stack"}};
    for (const BenchModel& model : kModels) {
      Result<std::vector<std::string>> row =
          table_row(model, *target, peer.value(model.key, nlohmann::json::object()));
      if (row.ok()) {
        rows.push_back(std::move(row).value());
      } else {
        std::fprintf(stderr, "%s: %s\n", model.key.c_str(), row.error().message.c_str());
        ++failures;
      }
    }
    std::printf("%s (%s): ours / peer's best (peer ÷ ours)\n%s\n", target->name.c_str(),
                target->core.c_str(), format_table(rows).c_str());
  }
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
