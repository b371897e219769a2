// Accuracy float, nibble's own int8, and the published int8 file, over the whole evaluation part of
// ../shared.
//   nibble_accuracy_table [calibrator...]      default: min-max
#include <cmath>
#include <cstdio>

#include "base/progress.h"
#include "base/text.h"
#include "benchmark_models.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// `raw`: data as they are in the file, for a published integer model that takes them so.
Result<Dataset> read_task(const ModelPair& pair, const Graph& graph, bool calibration, bool raw) {
  std::filesystem::path folder = shared_folder() / "data/eval";
  DataOptions options;
  options.input_scale = pair.data.scale;
  options.input_mean = pair.data.mean;
  options.input_scale_given = !raw;
  if (!calibration && !pair.data.labels.empty()) options.labels = folder / pair.data.labels;
  return read_dataset(folder / (calibration ? pair.data.calibration : pair.data.evaluation), graph,
                      options);
}

std::string cell(const Score& score) {
  if (score.metric == "accuracy") return fmt::format("{:.2f} %", 100 * score.value);
  return fmt::format("mse {:.2f}", score.value);
}

Result<std::vector<std::string>> table_row(const ModelPair& pair,
                                           const std::vector<std::string>& calibrators) {
  std::filesystem::path models = shared_folder() / "data/models";
  NIBBLE_ASSIGN(Graph real, import_model(models / pair.real));
  NIBBLE_ASSIGN(Dataset data, read_task(pair, real, false, false));
  NIBBLE_ASSIGN(Score float_score, evaluate(real, data));
  NIBBLE_ASSIGN(Dataset calibration, read_task(pair, real, true, false));
  std::vector<std::string> row = {pair.real, std::to_string(data.size()), cell(float_score)};
  for (const std::string& name : calibrators) {
    QuantizeOptions options;
    NIBBLE_ASSIGN(options.calibrator, parse_calibrator(name));
    NIBBLE_ASSIGN(Graph own, quantize(real, calibration_data(calibration, real), options));
    NIBBLE_ASSIGN(Dataset own_data, read_task(pair, own, false, false));
    NIBBLE_ASSIGN(Score score, evaluate(own, own_data));
    row.push_back(cell(score));
  }
  std::string published = "-";
  if (!pair.published.empty()) {
    NIBBLE_ASSIGN(Graph graph, import_model(models / pair.published));
    NIBBLE_ASSIGN(Dataset graph_data, read_task(pair, graph, false, false));
    NIBBLE_ASSIGN(Score score, evaluate(graph, graph_data));
    published = cell(score);
  }
  row.push_back(published);
  return row;
}

int run(int argc, char** argv) {
  std::vector<std::string> calibrators(argv + 1, argv + argc);
  if (calibrators.empty()) calibrators = {"min-max"};
  std::vector<std::string> header = {"float model", "samples", "float"};
  for (const std::string& name : calibrators) header.push_back("own int8, " + name);
  header.push_back("published int8");
  std::vector<std::vector<std::string>> rows = {header};
  int failures = 0;
  for (const ModelPair& pair : benchmark_pairs()) {
    Result<std::vector<std::string>> row = table_row(pair, calibrators);
    if (row.ok()) {
      rows.push_back(std::move(row).value());
    } else {
      std::fprintf(stderr, "%s: %s\n", pair.real.c_str(), row.error().message.c_str());
      ++failures;
    }
  }
  std::printf("%s", format_table(rows).c_str());
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
