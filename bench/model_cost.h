// What the models of the record cost on the emulated cores: shared by the table (cost_table.cc)
// and the test that holds every later change to bench/recorded.json (tests/size).
#pragma once

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "lower/lower.h"
#include "passes/passes.h"
#include "pipeline/pipeline.h"

namespace nibble {

struct RecordedModel {
  std::string key, file;  // below data/models; empty: the shipped keyword spotter
};

// The MLPerf Tiny int8 models, which the peer's record has, and the shipped example.
inline const std::vector<RecordedModel>& cost_models() {
  static const std::vector<RecordedModel> models = {
      {"ic", "mlperf_tiny/ic_resnet8_int8.tflite"},
      {"kws", "mlperf_tiny/kws_dscnn_int8.tflite"},
      {"vww", "mlperf_tiny/vww_mobilenetv1_int8.tflite"},
      {"ad", "mlperf_tiny/ad01_int8.tflite"},
      {"shipped", ""}};
  return models;
}

// One emulated board for each core.
inline const std::vector<std::string>& cost_targets() {
  static const std::vector<std::string> targets = {"mps2-an386",   "mps2-an505",    "mps2-an500",
                                                   "mps3-an547",   "mps2-an385",    "rp2040",
                                                   "riscv32-virt", "riscv32-virt-v"};
  return targets;
}

// The shipped one is quantized here, with its own calibration data. `shared` is that folder.
inline Result<Graph> cost_graph(const RecordedModel& model, const std::filesystem::path& shared) {
  if (!model.file.empty()) return import_model(shared / "data/models" / model.file);
  const std::filesystem::path folder =
      std::filesystem::path(NIBBLE_SOURCE_DIR) / "examples/keyword_spotting";
  NIBBLE_ASSIGN(Graph real, import_model(folder / "kws.onnx"));
  NIBBLE_ASSIGN(Dataset calibration, read_dataset(folder / "calibration.npz", real));
  NIBBLE_ASSIGN(Graph integer, quantize(real, calibration_data(calibration, real), {}));
  clean_up(integer);
  return integer;
}

// x[i] = (37 i mod 255) - 128, the peer's input pattern A.
inline Tensor cost_input(const TensorType& type) {
  Tensor input(type);
  for (int64_t i = 0; i < input.size(); ++i) input.set_integer_at(i, i * 37 % 255 - 128);
  return input;
}

// One inference of an integer graph on the target's emulated core, compiled at the level that goes
// with `optimize`.
inline Result<RunResult> measure_cost(const Graph& graph, const Target& target,
                                      const std::string& name,
                                      Optimize optimize = Optimize::kBalanced) {
  CompileOptions compile_options;
  compile_options.optimize = optimize;
  NIBBLE_ASSIGN(Compiled compiled, compile(graph, target, name, compile_options));
  RunOptions options;
  options.compiler_level = default_compiler_level(optimize);
  return run_on_target(compiled.library, compiled.program, target,
                       {{cost_input(graph.type(graph.inputs[0].value))}}, options);
}

// The compiler that the figures of code and of compiled C depend on: "arm-none-eabi-gcc 12.2.1".
inline std::string compiler_version(const std::string& program) {
  const char* option = program.starts_with("clang") ? " --version" : " -dumpfullversion";
  std::string line;
  FILE* pipe = popen((program + option + " 2>/dev/null").c_str(), "r");
  std::array<char, 256> text{};
  if (pipe && fgets(text.data(), static_cast<int>(text.size()), pipe)) line = text.data();
  if (pipe) pclose(pipe);
  return program + " " + line.substr(0, line.find_last_not_of(" \n") + 1);
}

// The figures of a record, each better the smaller it is. Static RAM is that beside arena and
// stack.
inline nlohmann::ordered_json cost_figures(const RunResult& run) {
  nlohmann::ordered_json figures = {{"instructions", run.instructions_per_inference},
                                    {"code_bytes", run.flash.code},
                                    {"weights_bytes", run.flash.weights},
                                    {"arena_bytes", run.ram.arena},
                                    {"stack_bytes", run.ram.stack},
                                    {"static_bytes", run.ram.static_data}};
  if (run.cycles_per_inference > 0) figures["cycles"] = run.cycles_per_inference;
  return figures;
}

// cost_figures with MACs and each layer, as they stand in bench/recorded.json.
inline nlohmann::ordered_json cost_record(const RunResult& run) {
  nlohmann::ordered_json record = cost_figures(run);
  record["macs"] = run.macs;
  nlohmann::ordered_json& layers = record["layers"] = nlohmann::ordered_json::array();
  for (const LayerCost& layer : run.layers)
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"kernel", layer.kernel},
                      {"macs", layer.macs},
                      {"instructions", layer.instructions}});
  return record;
}

}  // namespace nibble
