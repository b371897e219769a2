// The counts of ONNX Runtime's judgement, one row per model: nibble's int8 of the benchmark models,
// written as QDQ ONNX, and the QDQ models of ../shared that other tools quantized, over the whole
// evaluation part. A softmax at the end is left off.
//   nibble_judge_table [outputs|layers] [disabled|all]     default: outputs all
// outputs: the last integers. layers: the worst layer of each model on ONNX Runtime's own operands,
// on 8 samples; every layer with a difference on stderr. Exits with 1 if a row failed.
#include <cstdio>

#include "base/text.h"
#include "judge.h"
#include "support/shared_data.h"

namespace nibble::judges {
namespace {

constexpr int64_t kLayerSamples = 8;

using Row = std::vector<std::string>;

std::string percent(int64_t part, int64_t total) {
  return fmt::format("{:.4f}", 100 * static_cast<double>(part) / static_cast<double>(total));
}

void add_counts(Row& row, const Counts& counts) {
  for (int64_t part : {counts.equal, counts.one_step, counts.more})
    row.push_back(percent(part, counts.total()));
  row.push_back(std::to_string(counts.largest));
}

Result<Row> outputs_row(const std::string& name, std::span<const uint8_t> file, const Tensor& real,
                        Level level) {
  NIBBLE_ASSIGN(OutputCounts counts, judge_outputs(file, real, level));
  Row row = {name, std::to_string(counts.samples), std::to_string(counts.steps.total())};
  add_counts(row, counts.steps);
  row.push_back(std::to_string(counts.other_argmax));
  return row;
}

Result<Row> layers_row(const std::string& name, const Graph& graph, const Tensor& real,
                       Level level) {
  NIBBLE_ASSIGN(auto layers, judge_layers(graph, real, level));
  Counts all;
  const LayerCounts* worst = &layers[0];
  auto share = [](const LayerCounts& layer) {
    return static_cast<double>(layer.steps.equal) / static_cast<double>(layer.steps.total());
  };
  for (const LayerCounts& layer : layers) {
    all.add(layer.steps);
    if (share(layer) < share(*worst)) worst = &layer;
    if (layer.steps.equal < layer.steps.total())
      std::fprintf(stderr, "%s, %s (%s): %s %% one step, %s %% more, largest %d, %d ties\n",
                   name.c_str(), layer.node.c_str(), layer.op.c_str(),
                   percent(layer.steps.one_step, layer.steps.total()).c_str(),
                   percent(layer.steps.more, layer.steps.total()).c_str(),
                   static_cast<int>(layer.steps.largest), static_cast<int>(layer.ties));
  }
  Row row = {name, std::to_string(layers.size()), std::to_string(all.total())};
  add_counts(row, all);
  row.push_back(fmt::format("{:.4f} ({})", 100 * share(*worst), worst->op));
  return row;
}

// A model that is quantized already is read; for its layers nibble writes it anew.
Result<Row> foreign_row(const ModelPair& pair, bool layers, Level level) {
  const std::filesystem::path shared = shared_path(""), file = shared / "data/models" / pair.real;
  NIBBLE_ASSIGN(Tensor real, real_samples(shared, pair, layers ? kLayerSamples : 0));
  if (layers) {
    NIBBLE_ASSIGN(Graph graph, import_model(file));
    return layers_row(pair.real, graph, real, level);
  }
  NIBBLE_ASSIGN(auto bytes, file_without_softmax(file));
  return outputs_row(pair.real, bytes, real, level);
}

Result<Row> own_row(const ModelPair& pair, bool layers, Level level) {
  const std::filesystem::path shared = shared_path("");
  NIBBLE_ASSIGN(Graph graph, own_quantized(shared, pair));
  NIBBLE_ASSIGN(Tensor real, real_samples(shared, pair, layers ? kLayerSamples : 0));
  if (layers) return layers_row(pair.real, graph, real, level);
  cut_softmax(graph);
  NIBBLE_ASSIGN(auto file, onnx_bytes(graph));
  return outputs_row(pair.real, file, real, level);
}

int run(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  bool layers = false;
  Level level = Level::kFast;
  for (const std::string& word : words) {
    layers = layers || word == "layers";
    if (word == level_name(Level::kDefined)) level = Level::kDefined;
    if (word == "layers" || word == "outputs" || word == "all" || word == "disabled") continue;
    std::fprintf(stderr, "usage: nibble_judge_table [outputs|layers] [disabled|all]\n");
    return 2;
  }
  if (const std::string missing = missing_onnx_runtime(); !missing.empty()) {
    std::fprintf(stderr, "nibble_judge_table: %s\n", missing.c_str());
    return 1;
  }
  std::vector<Row> rows;
  if (layers)
    rows = {{"model", "layers", "elements", "equal %", "one step %", "more %", "largest",
             "equal %, worst layer"}};
  else
    rows = {{"model", "samples", "elements", "equal %", "one step %", "more %", "largest",
             "other arg-max"}};
  int failures = 0;
  auto add = [&](const ModelPair& pair, Result<Row> row) {
    if (row.ok()) {
      rows.push_back(std::move(row).value());
    } else {
      std::fprintf(stderr, "%s: %s\n", pair.real.c_str(), row.error().message.c_str());
      ++failures;
    }
  };
  for (const ModelPair& pair : benchmark_pairs()) add(pair, own_row(pair, layers, level));
  for (const ModelPair& pair : quantized_by_others()) add(pair, foreign_row(pair, layers, level));
  std::printf("%s", format_table(rows).c_str());
  return failures > 0;
}

}  // namespace
}  // namespace nibble::judges

int main(int argc, char** argv) { return nibble::judges::run(argc, argv); }
