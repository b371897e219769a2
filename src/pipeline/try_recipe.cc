// One recipe on one model.
#include <cmath>

#include "base/stopwatch.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

Interval value_interval(const Score& score, std::span<const double> by_sample) {
  if (score.metric != "accuracy") return mean_interval(by_sample);
  const auto count = static_cast<double>(score.samples);
  return share_interval(score.value * count, count);
}

// Points of accuracy lost, or percent of the mean squared error added.
void set_drop(const Baseline& baseline, Trial& trial) {
  const double real = baseline.score.value;
  const Interval lost =
      paired_loss_interval(baseline.higher_is_better(), baseline.by_sample, trial.by_sample);
  if (baseline.higher_is_better()) {
    trial.drop = 100 * (real - trial.score.value);
    trial.drop_interval = {100 * lost.low, 100 * lost.high};
    return;
  }
  // Of a model without any error, every error is infinitely more.
  auto percent = [&](double value) { return value == 0 ? 0 : 100 * value / real; };
  trial.drop = percent(trial.score.value - real);
  trial.drop_interval = {percent(lost.low), percent(lost.high)};
}

// What a recipe became, and its score.
struct Measured {
  Score score;
  std::vector<double> by_sample;
};

Result<Measured> measure(const Graph& graph, const Dataset& data, const RoundValue& round = {}) {
  Measured measured;
  std::vector<std::vector<Tensor>> outputs;
  NIBBLE_ASSIGN(Score score, evaluate(graph, data, &outputs, round));
  NIBBLE_ASSIGN(measured.score,
                score_outputs(graph, data, outputs, score.arithmetic, &measured.by_sample));
  return measured;
}

Result<Measured> measure_integer(const Graph& graph, const CalibrationData& calibration,
                                 const Dataset& data, const Recipe& recipe, Trial& trial,
                                 Graph& integer, QuantizeReport* report) {
  const Stopwatch watch;
  NIBBLE_ASSIGN(integer, learn_quantized(graph, calibration, recipe.options, report));
  trial.bytes = constant_bytes(integer);
  trial.quantize_seconds = watch.seconds();
  return measure(integer, data);
}

Result<Measured> measure_emulated(const Graph& graph, const CalibrationData& calibration,
                                  const Dataset& data, const Recipe& recipe, Trial& trial) {
  const Stopwatch watch;
  NIBBLE_ASSIGN(Emulation emulation, Emulation::make(graph, calibration, recipe.options));
  trial.bytes = emulation.weight_bytes();
  trial.quantize_seconds = watch.seconds();
  NIBBLE_ASSIGN(Measured measured,
                measure(emulation.graph(), data,
                        [&](ValueId id, Tensor& tensor) { emulation.round(id, tensor); }));
  measured.score.arithmetic = "emulated";
  return measured;
}

}  // namespace

Result<Baseline> measure_baseline(const Graph& graph, const Dataset& data) {
  NIBBLE_ASSIGN(Measured measured, measure(graph, data));
  if (measured.score.metric == "none")
    return input_error(fmt::format(
        "without a metric recipes cannot be told apart: {}; give the data labels (y in the .npz, "
        "--labels Y.npy, or a folder with a subfolder per class)",
        measured.score.why));
  Baseline baseline;
  baseline.score = measured.score;
  baseline.interval = value_interval(measured.score, measured.by_sample);
  baseline.by_sample = std::move(measured.by_sample);
  baseline.bytes = constant_bytes(graph);
  return baseline;
}

Trial try_recipe(const Graph& graph, const CalibrationData& calibration, const Dataset& data,
                 const Baseline& baseline, const Recipe& recipe, Graph* integer,
                 QuantizeReport* report) {
  Trial trial;
  trial.name = recipe.name;
  trial.arguments = recipe.arguments;
  trial.layer_rules = recipe.options.rules.size();
  trial.emulated = needs_emulation(graph, recipe.options);
  trial.activation_bits = activation_bits(graph, recipe.options);
  trial.methods = recipe.options.methods.size();
  const Stopwatch watch;
  Graph unused;
  const Result<Measured> measured = trial.emulated
                                        ? measure_emulated(graph, calibration, data, recipe, trial)
                                        : measure_integer(graph, calibration, data, recipe, trial,
                                                          integer ? *integer : unused, report);
  if (!measured.ok()) {
    trial.failure = measured.error().message;
    return trial;
  }
  trial.evaluate_seconds = watch.seconds() - trial.quantize_seconds;
  trial.score = measured.value().score;
  trial.by_sample = measured.value().by_sample;
  trial.interval = value_interval(trial.score, trial.by_sample);
  set_drop(baseline, trial);
  return trial;
}

}  // namespace nibble
