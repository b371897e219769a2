// Recipes (quantize/recipes.h) on one model: what each costs and how well it does; all of them side
// by side, or the cheapest that is good enough.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/formats.h"
#include "pipeline/interval.h"
#include "quantize/quantize.h"
#include "report/report.h"

namespace nibble {

// The float model on the data: what recipes are held against. higher_is_better: accuracy.
struct Baseline {
  Score score;
  std::vector<double> by_sample;  // as score_outputs gives them
  Interval interval;              // of the score's value, 95 %
  int64_t bytes = 0;              // of constants, in float32
  bool higher_is_better() const { return score.metric == "accuracy"; }
};
// Error: the data allow no metric.
Result<Baseline> measure_baseline(const Graph& graph, const Dataset& data);

// A recipe that has been tried.
struct Trial {
  std::string name, arguments;  // of the recipe
  size_t layer_rules = 0;       // tables [[recipe.layer]], which `arguments` lack
  std::string failure;          // why there is nothing else; empty: there is
  bool emulated = false;        // no integer form: number formats, ranges of each sample
  int64_t bytes = 0;            // of constants, each in as few bits as it needs
  int activation_bits = 0;
  size_t methods = 0;  // how many
  Score score;
  std::vector<double> by_sample;  // as score_outputs gives them
  Interval interval;              // of the score's value, 95 %
  double drop = 0;         // against float: points of accuracy, or percent of a mean squared error
  Interval drop_interval;  // 95 %, from the samples on which the two differ
  double quantize_seconds = 0, evaluate_seconds = 0;
  // Of a comparison:
  bool on_front = false;  // no recipe with an integer form is as small and better, or as good and
                          // smaller
  int size_class = 0;     // from 1 on; recipes of about the same size
  int rank = 0;           // within it, from 1 on
};
// A number of bytes whose difference does not count: the recipes of a class are at most this share
// larger than the smallest of it.
inline constexpr double kSameSize = 0.05;

// Quantizes and evaluates: integers exactly, else emulated. `integer` and `report`, if not null,
// are set where the recipe has an integer form.
Trial try_recipe(const Graph& graph, const CalibrationData& calibration, const Dataset& data,
                 const Baseline& baseline, const Recipe& recipe, Graph* integer = nullptr,
                 QuantizeReport* report = nullptr);

// Told of each trial when it is done.
using TrialDone = std::function<void(const Trial& trial, size_t index, size_t count)>;

struct Comparison {
  Baseline baseline;
  // By size class, in it from the best to the worst; those that failed come last.
  std::vector<Trial> trials;
  // The smallest with an integer form whose drop is at most kNegligibleDrop, or no more than the
  // samples can tell from none; of several as small the one with fewer bits of activations, then
  // the one with the fewest methods that is not measurably worse than the best of them (its paired
  // interval of 95 % reaches zero), then the better one. -1: none is.
  int recommended = -1;
  std::string advice;  // the same in words, with the reason
};
// Points of accuracy, or percent of a mean squared error.
inline constexpr double kNegligibleDrop = 1;
// A recipe that fails is a trial with its reason. Error: of the float model.
Result<Comparison> compare_recipes(const Graph& graph, const CalibrationData& calibration,
                                   const Dataset& data, std::span<const Recipe> recipes,
                                   const TrialDone& done = {});
// The rest of it from its trials and its baseline.
void rank_trials(Comparison& comparison);

struct AutoResult {
  Graph integer;
  QuantizeReport report;
  Baseline baseline;
  std::vector<Trial> tried;  // in this order; the last one is what `integer` is
};
// Tries the recipes that have an integer form from the fewest bytes of constants on (then fewer
// bits of activations, then fewer methods) until one's drop is at most `max_drop`. Errors: none has
// an integer form; none is good enough (with the best of them).
Result<AutoResult> auto_quantize(const Graph& graph, const CalibrationData& calibration,
                                 const Dataset& data, std::span<const Recipe> recipes,
                                 double max_drop, const TrialDone& done = {});

// Of scores by that metric: "91.85 %" or "0.0123"; a drop as "0.40 points" or "3.10 %".
std::string value_text(const std::string& metric, double value);
std::string drop_text(const std::string& metric, double drop);

}  // namespace nibble
