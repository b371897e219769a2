// The cheapest recipe that is good enough.
#include <algorithm>
#include <tuple>

#include "pipeline/pipeline.h"

namespace nibble {
namespace {

// A recipe before it is tried. What cannot be quantized at all comes last, to fail with its reason.
struct Candidate {
  const Recipe* recipe = nullptr;
  std::tuple<bool, int64_t, int, size_t> cost;
};

Result<std::vector<Candidate>> by_cost(const Graph& graph, const CalibrationData& calibration,
                                       std::span<const Recipe> recipes) {
  std::vector<Candidate> candidates;
  for (const Recipe& recipe : recipes) {
    if (needs_emulation(graph, recipe.options)) continue;
    const Result<int64_t> bytes = quantized_bytes(graph, calibration, recipe.options);
    candidates.push_back({&recipe,
                          {!bytes.ok(), bytes.ok() ? bytes.value() : 0,
                           activation_bits(graph, recipe.options), recipe.options.methods.size()}});
  }
  if (candidates.empty())
    return usage_error(
        fmt::format("none of the {} recipes has an integer form (number formats and ranges of each "
                    "sample are emulated only); `nibble compare` measures them",
                    recipes.size()));
  std::ranges::stable_sort(candidates, {}, &Candidate::cost);
  return candidates;
}

Error none_is_good_enough(const Baseline& baseline, const std::vector<Trial>& tried,
                          double max_drop) {
  const Trial* best = nullptr;
  for (const Trial& trial : tried)
    if (trial.failure.empty() && (!best || trial.drop < best->drop)) best = &trial;
  const std::string count =
      tried.size() == 1 ? "the one recipe fails" : fmt::format("all {} recipes fail", tried.size());
  if (!best)
    return input_error(fmt::format("{}, '{}' because: {}", count, tried[0].name, tried[0].failure));
  return input_error(fmt::format(
      "no recipe stays within --max-drop {} of float ({} on {} samples): the least drop of {} "
      "recipes is {} by '{}' ({} bytes of constants); allow more, or try other recipes with "
      "--recipes FILE",
      drop_text(baseline.score.metric, max_drop),
      value_text(baseline.score.metric, baseline.score.value), baseline.score.samples, tried.size(),
      drop_text(baseline.score.metric, best->drop), best->name, best->bytes));
}

}  // namespace

Result<AutoResult> auto_quantize(const Graph& graph, const CalibrationData& calibration,
                                 const Dataset& data, std::span<const Recipe> recipes,
                                 double max_drop, const TrialDone& done) {
  NIBBLE_TRY(check_float_model(graph));
  AutoResult result;
  NIBBLE_ASSIGN(result.baseline, measure_baseline(graph, data));
  NIBBLE_ASSIGN(auto candidates, by_cost(graph, calibration, recipes));
  for (size_t i = 0; i < candidates.size(); ++i) {
    result.report = {};
    result.tried.push_back(try_recipe(graph, calibration, data, result.baseline,
                                      *candidates[i].recipe, &result.integer, &result.report));
    const Trial& trial = result.tried.back();
    if (done) done(trial, i, candidates.size());
    if (trial.failure.empty() && trial.drop <= max_drop) return result;
  }
  return none_is_good_enough(result.baseline, result.tried, max_drop);
}

}  // namespace nibble
