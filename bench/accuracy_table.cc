// Accuracy float, nibble's own int8, and the published int8 file, over the whole evaluation part of
// ../shared, and how many samples a second the host computes of the published file, which is what
// calibration and search live on.
//   nibble_accuracy_table [calibrator...]      default: min-max
// Exits with 1 if a row failed; the others are printed all the same.
#include <cstdio>

#include "base/progress.h"
#include "base/stopwatch.h"
#include "base/text.h"
#include "benchmark_models.h"
#include "pipeline/pipeline.h"
#include "shared_folder.h"

namespace nibble {
namespace {

std::string cell(const Score& score) {
  if (score.metric == "accuracy") return fmt::format("{:.2f} %", 100 * score.value);
  return fmt::format("mse {:.2f}", score.value);
}

Result<std::vector<std::string>> table_row(const ModelPair& pair,
                                           const std::vector<Calibrator>& calibrators) {
  const std::filesystem::path shared = shared_folder(), models = shared / "data/models";
  NIBBLE_ASSIGN(Graph real, import_model(models / pair.real));
  NIBBLE_ASSIGN(Score float_score, score_on_task(shared, pair, real));
  std::vector<std::string> row = {pair.real, std::to_string(float_score.samples),
                                  cell(float_score)};
  for (Calibrator calibrator : calibrators) {
    NIBBLE_ASSIGN(Graph own, own_int8(shared, pair, real, calibrator));
    NIBBLE_ASSIGN(Score score, score_on_task(shared, pair, own));
    row.push_back(cell(score));
  }
  std::string published = "-", speed = "-";
  if (!pair.published.empty()) {
    NIBBLE_ASSIGN(Graph graph, import_model(models / pair.published));
    NIBBLE_ASSIGN(Dataset data, read_task(shared, pair, graph, DataPart::kEvaluation));
    const Stopwatch watch;
    NIBBLE_ASSIGN(Score score, evaluate(graph, data));
    published = cell(score);
    speed = fmt::format("{:.0f}", static_cast<double>(score.samples) / watch.seconds());
  }
  row.push_back(published);
  row.push_back(speed);
  return row;
}

int run(int argc, char** argv) {
  std::vector<std::string> names(argv + 1, argv + argc);
  if (names.empty()) names = {"min-max"};
  std::vector<Calibrator> calibrators;
  std::vector<std::string> header = {"float model", "samples", "float"};
  for (const std::string& name : names) {
    Result<Calibrator> calibrator = parse_calibrator(name);
    if (!calibrator.ok()) {
      std::fprintf(stderr, "%s\n", calibrator.error().message.c_str());
      return static_cast<int>(calibrator.error().kind);
    }
    calibrators.push_back(*calibrator);
    header.push_back("own int8, " + name);
  }
  header.push_back("published int8");
  header.push_back("samples/s of it on this host");
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
