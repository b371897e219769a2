// Recipes side by side: size classes, the Pareto front of size and accuracy, and which one to use.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/text.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// What is better is less.
double loss(const Baseline& baseline, const Trial& trial) {
  return baseline.higher_is_better() ? -trial.score.value : trial.score.value;
}

void set_size_classes(std::vector<Trial>& trials, const Baseline& baseline) {
  std::ranges::stable_sort(trials, {}, [](const Trial& trial) {
    return std::tuple(!trial.failure.empty(), trial.bytes);
  });
  double smallest = 0;
  int size_class = 0;
  for (Trial& trial : trials) {
    if (!trial.failure.empty()) continue;
    const auto bytes = static_cast<double>(trial.bytes);
    if (size_class == 0 || bytes > smallest * (1 + kSameSize)) {
      ++size_class;
      smallest = bytes;
    }
    trial.size_class = size_class;
  }
  std::ranges::stable_sort(trials, {}, [&](const Trial& trial) {
    return std::tuple(!trial.failure.empty(), trial.size_class, loss(baseline, trial), trial.bytes,
                      trial.activation_bits, trial.methods);
  });
  int rank = 0;
  size_class = 0;
  for (Trial& trial : trials) {
    if (trial.size_class == 0) continue;
    rank = trial.size_class == size_class ? rank + 1 : 1;
    size_class = trial.size_class;
    trial.rank = rank;
  }
}

// What has no integer form is on it where it beats all that have one, and keeps none of them off.
void set_front(std::vector<Trial>& trials, const Baseline& baseline) {
  std::vector<Trial*> order;
  for (Trial& trial : trials)
    if (trial.failure.empty()) order.push_back(&trial);
  std::ranges::stable_sort(order, {}, [&](const Trial* trial) {
    return std::tuple(trial->bytes, loss(baseline, *trial), trial->emulated, trial->activation_bits,
                      trial->methods);
  });
  double least = INFINITY, least_emulated = INFINITY;
  for (Trial* trial : order) {
    const double found = loss(baseline, *trial);
    trial->on_front = found < (trial->emulated ? std::min(least, least_emulated) : least);
    if (trial->on_front) (trial->emulated ? least_emulated : least) = found;
  }
}

bool is_negligible(const Trial& trial) { return trial.drop <= kNegligibleDrop; }
bool may_be_noise(const Trial& trial) {
  return std::isfinite(trial.drop_interval.low) && trial.drop_interval.low <= 0;
}

// Of those for which `fits` holds, the one that is least by `key`; -1: there is none.
template <class Fits, class Key>
int least_trial(const std::vector<Trial>& trials, Fits fits, Key key) {
  int least = -1;
  for (size_t i = 0; i < trials.size(); ++i) {
    const Trial& trial = trials[i];
    if (!trial.failure.empty() || trial.emulated || !fits(trial)) continue;
    if (least < 0 || key(trial) < key(trials[static_cast<size_t>(least)]))
      least = static_cast<int>(i);
  }
  return least;
}

// Measurably so, on the same samples: a difference that they cannot tell from nothing is not.
bool is_worse(const Baseline& baseline, const Trial& trial, const Trial& than) {
  if (trial.by_sample.empty() || trial.by_sample.size() != than.by_sample.size()) return false;
  return paired_loss_interval(baseline.higher_is_better(), than.by_sample, trial.by_sample).low > 0;
}

// The smallest; among those that cost the same, the simplest that is not worse than the best.
int smallest_of(const Comparison& comparison, bool (*fits)(const Trial&)) {
  const std::vector<Trial>& trials = comparison.trials;
  const Baseline& baseline = comparison.baseline;
  const int best = least_trial(trials, fits, [&](const Trial& trial) {
    return std::tuple(trial.bytes, trial.activation_bits, loss(baseline, trial), trial.methods);
  });
  if (best < 0) return best;
  const Trial& rival = trials[static_cast<size_t>(best)];
  auto as_good = [&](const Trial& trial) {
    return fits(trial) && trial.bytes == rival.bytes &&
           trial.activation_bits == rival.activation_bits && !is_worse(baseline, trial, rival);
  };
  return least_trial(trials, as_good, [&](const Trial& trial) {
    return std::tuple(trial.methods, loss(baseline, trial));
  });
}

// The best of what was passed over for its methods.
std::string better_text(const Comparison& comparison, const Trial& used) {
  const Baseline& baseline = comparison.baseline;
  const double own = loss(baseline, used);
  const int index = least_trial(
      comparison.trials,
      [&](const Trial& trial) {
        return trial.bytes == used.bytes && trial.activation_bits == used.activation_bits &&
               trial.methods > used.methods && loss(baseline, trial) < own;
      },
      [&](const Trial& trial) { return loss(baseline, trial); });
  if (index < 0) return "";
  const Trial& better = comparison.trials[static_cast<size_t>(index)];
  return fmt::format(
      "; '{}', as large and {} better, takes {} more method{} for what {} samples "
      "cannot tell from nothing",
      better.name, drop_text(baseline.score.metric, used.drop - better.drop),
      better.methods - used.methods, better.methods - used.methods == 1 ? "" : "s",
      baseline.score.samples);
}

std::string called(const Trial& trial) {
  return fmt::format("'{}' ({})", trial.name, human_bytes(trial.bytes));
}

// "loses 0.40 points", "has 3.10 % more error".
std::string loses(const Baseline& baseline, const Trial& trial) {
  const std::string amount = drop_text(baseline.score.metric, std::abs(trial.drop));
  if (trial.drop == 0) return "loses nothing";
  if (baseline.higher_is_better()) return (trial.drop > 0 ? "loses " : "gains ") + amount;
  return "has " + amount + (trial.drop > 0 ? " more error" : " less error");
}

std::string interval_text(const Baseline& baseline, const Trial& trial) {
  return fmt::format("95 % interval {:.2f} to {}", trial.drop_interval.low,
                     drop_text(baseline.score.metric, trial.drop_interval.high));
}

// The front's next smaller recipe, and what it would cost.
std::string smaller_text(const Comparison& comparison, const Trial& used) {
  const int index = least_trial(
      comparison.trials,
      [&](const Trial& trial) { return trial.on_front && trial.bytes < used.bytes; },
      [](const Trial& trial) { return -trial.bytes; });
  if (index < 0) return "";
  const Trial& smaller = comparison.trials[static_cast<size_t>(index)];
  return fmt::format("; the next smaller on the front, {}, {}", called(smaller),
                     loses(comparison.baseline, smaller));
}

std::string noise_text(const Baseline& baseline, const Trial& trial) {
  if (!std::isfinite(trial.drop_interval.half_width())) return "";
  return fmt::format(
      "\n{} samples tell a difference of {} from noise; smaller ones between recipes mean nothing.",
      baseline.score.samples, drop_text(baseline.score.metric, trial.drop_interval.half_width()));
}

std::string advice_of(const Comparison& comparison) {
  const Baseline& baseline = comparison.baseline;
  const std::string limit = drop_text(baseline.score.metric, kNegligibleDrop);
  if (comparison.recommended >= 0) {
    const Trial& used = comparison.trials[static_cast<size_t>(comparison.recommended)];
    std::string text = fmt::format("use {}: it {}", called(used), loses(baseline, used));
    if (is_negligible(used)) {
      text += fmt::format(" ({}), and nothing smaller stays within {} of float",
                          interval_text(baseline, used), limit);
    } else {
      text += fmt::format(", which {} samples cannot tell from nothing ({})",
                          baseline.score.samples, interval_text(baseline, used));
      const int safe = smallest_of(comparison, is_negligible);
      if (safe >= 0)
        text += fmt::format("; measured within {} of float is {}", limit,
                            called(comparison.trials[static_cast<size_t>(safe)]));
    }
    return text + better_text(comparison, used) + smaller_text(comparison, used) + "." +
           noise_text(baseline, used);
  }
  const int best = least_trial(
      comparison.trials, [](const Trial&) { return true; },
      [&](const Trial& trial) { return loss(baseline, trial); });
  if (best < 0) return "no recipe with an integer form could be tried.";
  const Trial& trial = comparison.trials[static_cast<size_t>(best)];
  return fmt::format(
             "no recipe with an integer form is within {} of float; the best is {}: it {} ({}).",
             limit, called(trial), loses(baseline, trial), interval_text(baseline, trial)) +
         noise_text(baseline, trial);
}

}  // namespace

std::string value_text(const std::string& metric, double value) {
  return metric == "accuracy" ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.5g}", value);
}

std::string drop_text(const std::string& metric, double drop) {
  return fmt::format("{:.2f} {}", drop, metric == "accuracy" ? "points" : "%");
}

void rank_trials(Comparison& comparison) {
  set_size_classes(comparison.trials, comparison.baseline);
  set_front(comparison.trials, comparison.baseline);
  comparison.recommended = smallest_of(
      comparison, [](const Trial& trial) { return is_negligible(trial) || may_be_noise(trial); });
  comparison.advice = advice_of(comparison);
}

Result<Comparison> compare_recipes(const Graph& graph, const CalibrationData& calibration,
                                   const Dataset& data, std::span<const Recipe> recipes,
                                   const TrialDone& done) {
  NIBBLE_TRY(check_float_model(graph));
  Comparison comparison;
  NIBBLE_ASSIGN(comparison.baseline, measure_baseline(graph, data));
  for (size_t i = 0; i < recipes.size(); ++i) {
    comparison.trials.push_back(
        try_recipe(graph, calibration, data, comparison.baseline, recipes[i]));
    if (done) done(comparison.trials.back(), i, recipes.size());
  }
  rank_trials(comparison);
  return comparison;
}

}  // namespace nibble
