// What --calibration names, as samples: data, or inputs made from a model's batch norms.
#include <charconv>

#include "base/text.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

constexpr std::string_view kSynthetic = "synthetic";
constexpr int64_t kMostInputs = 1000000;

Result<int64_t> synthetic_count(const CalibrationRequest& request) {
  int64_t count = SynthesizeOptions().count;
  if (request.source.size() > kSynthetic.size()) {
    const std::string number = request.source.substr(kSynthetic.size() + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
    if (error != std::errc() || end != number.data() + number.size() || count < 1 ||
        count > kMostInputs)
      return usage_error(fmt::format(
          "--calibration {}: how many inputs to make is a number from 1 to {}, as synthetic:256",
          request.source, kMostInputs));
  }
  const int64_t limit = request.options.max_samples;
  return limit > 0 ? std::min(count, limit) : count;
}

Result<Calibration> make_synthetic(const CalibrationRequest& request, const Graph& graph,
                                   std::shared_ptr<const LayerStatistics> statistics) {
  SynthesizeOptions options;
  options.seed = request.seed;
  NIBBLE_ASSIGN(options.count, synthetic_count(request));
  NIBBLE_TRY(check_float_model(graph));
  if (statistics->empty()) return no_statistics(graph.name, "--calibration " + request.source);
  std::vector<WantedStatistics> wanted;
  for (const auto& [value, channels] : *statistics)
    wanted.push_back({value, channels.mean, channels.deviation});
  NIBBLE_ASSIGN(std::vector<Tensor> made, synthesize(graph, wanted, options));
  auto samples = std::make_shared<const std::vector<Tensor>>(std::move(made));
  Calibration calibration;
  calibration.samples = {std::ssize(*samples),
                         [samples](int64_t i) { return (*samples)[static_cast<size_t>(i)]; },
                         std::move(statistics), true};
  calibration.note = fmt::format(
      "calibrated on {} inputs made from the statistics of {} batch norms; real inputs, where "
      "there "
      "are any, are better",
      samples->size(), wanted.size());
  return calibration;
}

}  // namespace

bool is_synthetic(const std::string& source) {
  return source == kSynthetic || source.starts_with(std::string(kSynthetic) + ":");
}

Result<Calibration> read_calibration(const CalibrationRequest& request, const Graph& imported,
                                     const Graph& graph) {
  auto statistics = std::make_shared<const LayerStatistics>(batch_norm_statistics(imported, graph));
  if (is_synthetic(request.source)) return make_synthetic(request, graph, std::move(statistics));
  NIBBLE_ASSIGN(Dataset data, read_dataset(request.source, graph, request.options));
  // What samples are made of lives as long as they are asked for.
  struct Kept {
    Dataset data;
    Graph input;  // the graph's inputs alone
  };
  auto kept = std::make_shared<Kept>();
  kept->data = std::move(data);
  kept->input.inputs = graph.inputs;
  kept->input.values = graph.values;
  Calibration calibration;
  calibration.note = kept->data.note;
  calibration.samples = calibration_data(kept->data, kept->input);
  calibration.samples.sample = [kept, sample = calibration.samples.sample](int64_t index) {
    return sample(index);
  };
  calibration.samples.statistics = std::move(statistics);
  return calibration;
}

}  // namespace nibble
