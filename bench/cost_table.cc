// What the MLPerf Tiny int8 models cost on an emulated core, beside the recorded peer (TensorFlow
// Lite Micro with CMSIS-NN).
//   nibble_cost_table [--layers] [--cycles] [MODEL...] [target...]
// Models: ic kws vww ad, default all; targets: default mps2-an386 (Cortex-M4). --layers: each layer
// beside its multiply-accumulates; --cycles: also cycles, estimated from the executed instructions
// by the rules of src/run/thumb2_cycles.h (Cortex-M4).
// Exits with 1 if a row failed or the peer's figures are missing; the others are printed all the
// same.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <span>

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

struct TableOptions {
  bool layers = false, cycles = false;
  std::vector<std::string> models, targets;
};

TableOptions parse_arguments(int argc, char** argv) {
  TableOptions options;
  for (std::string argument : std::span(argv + 1, argv + argc)) {
    bool is_model = std::ranges::find(kModels, argument, &BenchModel::key) != kModels.end();
    if (argument == "--layers")
      options.layers = true;
    else if (argument == "--cycles")
      options.cycles = true;
    else
      (is_model ? options.models : options.targets).push_back(argument);
  }
  if (options.models.empty())
    for (const BenchModel& model : kModels) options.models.push_back(model.key);
  if (options.targets.empty()) options.targets = {"mps2-an386"};
  return options;
}

std::string per_mac(int64_t count, int64_t macs) {
  return macs == 0 ? ""
                   : fmt::format("{:.3f}", static_cast<double>(count) / static_cast<double>(macs));
}

void print_layers(const RunResult& run, const TableOptions& options) {
  std::vector<std::vector<std::string>> rows = {{"layer", "MACs", "instructions", "per MAC"}};
  if (options.cycles) rows[0].insert(rows[0].end(), {"cycles", "per MAC"});
  rows[0].emplace_back("kernel");
  for (const LayerCost& layer : run.layers) {
    // The end of a name says more than its begin.
    constexpr size_t kNameLength = 24;
    std::string name =
        layer.name.substr(layer.name.size() - std::min(layer.name.size(), kNameLength));
    std::vector<std::string>& row = rows.emplace_back(std::vector<std::string>{
        name, with_thousands(layer.macs), with_thousands(layer.instructions),
        per_mac(layer.instructions, layer.macs)});
    if (options.cycles) {
      row.push_back(with_thousands(layer.cycles));
      row.push_back(per_mac(layer.cycles, layer.macs));
    }
    row.push_back(layer.kernel);
  }
  std::printf("%s\n", format_table(rows).c_str());
}

Result<std::vector<std::string>> table_row(const BenchModel& model, const Target& target,
                                           const TableOptions& options,
                                           const nlohmann::json& peer) {
  NIBBLE_ASSIGN(Graph graph, import_model(shared_folder() / "data/models" / model.file));
  NIBBLE_ASSIGN(Compiled compiled, compile(graph, target, model.key));
  std::vector<std::vector<Tensor>> samples = {{pattern_a(graph.type(graph.inputs[0].value))}};
  RunOptions run_options;
  run_options.cycles = options.cycles;
  NIBBLE_ASSIGN(RunResult run,
                run_on_target(compiled.library, compiled.program, target, samples, run_options));
  if (options.layers) print_layers(run, options);
  auto figure = [&](const char* key) {
    return peer.is_object() ? peer.value(key, nlohmann::json()) : nlohmann::json();
  };
  std::vector<std::string> row = {
      model.key, beside(run.instructions_per_inference, figure("instructions_per_inference")),
      per_mac(run.instructions_per_inference, run.macs)};
  if (options.cycles) {
    row.push_back(with_thousands(run.cycles_per_inference));
    row.push_back(per_mac(run.cycles_per_inference, run.macs));
  }
  row.push_back(beside(run.flash.code, figure("flash_code_bytes")));
  row.push_back(beside(run.flash.weights, figure("flash_model_bytes")));
  row.push_back(beside(run.ram.arena, figure("arena_bytes")));
  row.push_back(beside(run.ram.stack, figure("stack_bytes")));
  return row;
}

// Prints the table of one target; the number of models that failed.
int print_target(const Target& target, const TableOptions& options, const nlohmann::json& peer) {
  int failures = 0;
  std::vector<std::vector<std::string>> rows = {{"model", "instructions", "per MAC"}};
  if (options.cycles) rows[0].insert(rows[0].end(), {"cycles", "per MAC"});
  for (const char* title : {"code bytes", "weights and tables", "arena", "stack"})
    rows[0].emplace_back(title);
  for (const BenchModel& model : kModels) {
    if (std::ranges::find(options.models, model.key) == options.models.end()) continue;
    Result<std::vector<std::string>> row =
        table_row(model, target, options, peer.value(model.key, nlohmann::json::object()));
    if (row.ok()) {
      rows.push_back(std::move(row).value());
    } else {
      std::fprintf(stderr, "%s: %s\n", model.key.c_str(), row.error().message.c_str());
      ++failures;
    }
  }
  std::printf("%s (%s): ours / peer's best (peer ÷ ours)\n%s\n", target.name.c_str(),
              target.core.c_str(), format_table(rows).c_str());
  return failures;
}

int run(int argc, char** argv) {
  TableOptions options = parse_arguments(argc, argv);
  nlohmann::json baseline = nlohmann::json::object();
  Result<std::string> text = read_text_file(shared_folder() / "baseline/tflm_cmsis_nn.json");
  int failures = 0;
  if (text.ok()) {
    baseline = nlohmann::json::parse(*text)["best"];
  } else {
    std::fprintf(stderr, "%s\n", text.error().message.c_str());
    ++failures;
  }
  for (const std::string& name : options.targets) {
    Result<Target> target = find_target(name);
    if (!target.ok()) {
      std::fprintf(stderr, "%s\n", target.error().message.c_str());
      return static_cast<int>(target.error().kind);
    }
    failures +=
        print_target(*target, options, baseline.value(target->core, nlohmann::json::object()));
  }
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
