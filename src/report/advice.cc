#include "report/advice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/text.h"
#include "report/report.h"

namespace nibble {
namespace {

using Kind = ScaleFinding::Kind;

// From here on a layer's clipping is worth a sentence.
constexpr double kMuchClipped = 0.01;
// Below this a layer's own error is worth one, in decibel.
constexpr double kNoisy = 20;

// Two names and how many more.
std::string names_text(const std::vector<std::string>& names) {
  const size_t shown = std::min<size_t>(names.size(), 3);
  std::vector<std::string> parts;
  for (size_t i = 0; i < shown; ++i) parts.push_back("'" + names[i] + "'");
  std::string text = join(parts, ", ");
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::vector<std::string> layers_with(const Explanation& explanation,
                                     const std::function<bool(const LayerEvidence&)>& chosen) {
  std::vector<std::string> names;
  for (size_t i : worst_first(explanation))
    if (chosen(explanation.layers[i])) names.push_back(explanation.layers[i].error.node);
  return names;
}

std::string remedy(Kind kind) {
  switch (kind) {
    case Kind::kWeightScalesApart:
      return "--method equalize brings them together";
    case Kind::kWeightRangeUnused:
      return "--granularity channel gives each channel a scale, --method equalize makes one scale "
             "do";
    case Kind::kActivationUnused:
      return "--method equalize spreads the range over the channels";
    case Kind::kStepTooCoarse:
      return "--calibrator mse or percentile cuts the outliers off; activation-bits = 16 in a "
             "table [[layer]] keeps them";
    case Kind::kMultiplierTooLarge:
      return "the output's range is smaller than one step of the sum: more calibration data, or "
             "--calibrator min-max";
    case Kind::kMultiplierTooSmall:
      return "they give the same output whatever they read: --granularity channel or --method "
             "equalize, or prune them";
  }
  NIBBLE_UNREACHABLE("kind {}", static_cast<int>(kind));
}

std::string subject(Kind kind) {
  switch (kind) {
    case Kind::kWeightScalesApart:
      return "The scales of channels of one filter are far apart";
    case Kind::kWeightRangeUnused:
      return "One scale for all weights leaves most channels less than a sixteenth of the grid";
    case Kind::kActivationUnused:
      return "A few channels take the range of the output, most use less than a sixteenth of it";
    case Kind::kStepTooCoarse:
      return "A step of the output is larger than the values' standard deviation";
    case Kind::kMultiplierTooLarge:
      return "A step of the accumulator is more than a step of the output";
    case Kind::kMultiplierTooSmall:
      return "Channels cannot move their output by half a step";
  }
  NIBBLE_UNREACHABLE("kind {}", static_cast<int>(kind));
}

std::string points(double loss, const Score& score) {
  return score.metric == "accuracy" ? fmt::format("{:.2f} points", 100 * loss)
                                    : fmt::format("{:.3g} of {}", loss, score.metric);
}

// Half the width of the range in which 95 of 100 such accuracies lie.
double accuracy_noise(const Score& score) {
  return 1.96 * std::sqrt(score.value * (1 - score.value) / static_cast<double>(score.samples));
}

// ", the loss from 1.20 points to 0.40 points"; nothing where it stays, or where so few samples
// cannot tell the two apart.
std::string loss_change(const Score& real, const Score& from, const Score& to) {
  if (from.metric == "none") return "";
  if (from.metric == "accuracy" && std::abs(from.value - to.value) < accuracy_noise(from))
    return "";
  const std::string before = points(score_loss(real, from), from),
                    after = points(score_loss(real, to), from);
  return before == after ? "" : ", the loss from " + before + " to " + after;
}

void advise_on_scores(const Explanation& explanation, std::vector<std::string>& sentences) {
  const Score &real = *explanation.real, &integer = *explanation.integer;
  if (real.metric == "none") {
    sentences.push_back(
        "The data have no labels to score with: the effects are on the output alone (alone dB).");
    return;
  }
  const double loss = score_loss(real, integer);
  if (real.metric != "accuracy") {
    sentences.push_back(fmt::format("{}: {:.5g} in float, {:.5g} in integers.", real.metric,
                                    real.value, integer.value));
    return;
  }
  const double noise = accuracy_noise(real);
  sentences.push_back(fmt::format(
      "Accuracy {:.2f} % in float, {:.2f} % in integers: {:.2f} points {}{}.", 100 * real.value,
      100 * integer.value, 100 * std::abs(loss), loss < 0 ? "won" : "lost",
      std::abs(loss) < noise ? fmt::format(", within the ±{:.2f} that {} samples leave open",
                                           100 * noise, real.samples)
                             : ""));
}

// Whether the layer's own error is mostly that of its weights.
std::string more_bits(const LayerEvidence& layer) {
  const bool weights =
      layer.weight_sqnr_db && *layer.weight_sqnr_db < layer.error.local_sqnr_db + 3;
  if (weights && layer.weights_per_tensor)
    return fmt::format("its weights have one scale (SQNR {:.1f} dB): --granularity channel",
                       *layer.weight_sqnr_db);
  if (weights && layer.weight_bits < 8)
    return fmt::format(
        "its weights of {} bits are the larger part (SQNR {:.1f} dB): --method "
        "gptq,correct-bias, or weight-bits = 8 in a table [[layer]]",
        layer.weight_bits, *layer.weight_sqnr_db);
  if (weights)
    return fmt::format(
        "its weights are the larger part (SQNR {:.1f} dB): --method "
        "gptq,correct-bias, or --method equalize",
        *layer.weight_sqnr_db);
  return fmt::format(
      "its output's {} bits are the larger part: --calibrator mse, or activation-bits = {} in a "
      "table [[layer]]",
      layer.activation_bits, layer.activation_bits < 8 ? 8 : 16);
}

void advise_on_effects(const Explanation& explanation, std::vector<std::string>& sentences) {
  const std::vector<size_t> order = worst_first(explanation);
  const size_t worst = order[0];
  if (!explanation.effects[worst]) return;
  const LayerEvidence& layer = explanation.layers[worst];
  const Effect& alone = explanation.effects[worst]->alone;
  if (!std::isfinite(alone.output_sqnr_db)) return;
  sentences.push_back(
      fmt::format("Quantized alone, '{}' ({}) disturbs the output most ({:.1f} dB{}); {}.",
                  layer.error.node, layer.error.op, alone.output_sqnr_db,
                  alone.score.metric == "none"
                      ? ""
                      : ", " + points(score_loss(*explanation.real, alone.score), alone.score),
                  more_bits(layer)));
  const Effect& all = *explanation.emulated;
  const LayerEffect* best = nullptr;
  const LayerEvidence* freed = nullptr;
  for (size_t i = 0; i < explanation.layers.size(); ++i) {
    const auto& effect = explanation.effects[i];
    if (!effect || (best && effect->kept.output_sqnr_db <= best->kept.output_sqnr_db)) continue;
    best = &*effect, freed = &explanation.layers[i];
  }
  if (!best || best->kept.output_sqnr_db < all.output_sqnr_db + 1) return;
  sentences.push_back(fmt::format(
      "Left alone in float, '{}' would give back most: the output's SQNR goes from {:.1f} to "
      "{:.1f} dB{}; try more bits there first.",
      freed->error.node, all.output_sqnr_db, best->kept.output_sqnr_db,
      loss_change(*explanation.real, all.score, best->kept.score)));
}

void advise_on_noise(const Explanation& explanation, std::vector<std::string>& sentences) {
  const std::vector<std::string> noisy = layers_with(
      explanation, [](const LayerEvidence& layer) { return layer.error.local_sqnr_db < kNoisy; });
  if (noisy.empty()) return;
  for (const LayerEvidence& layer : explanation.layers)
    if (layer.error.node == noisy[0])
      sentences.push_back(fmt::format("The own error of {} is above a tenth of the signal; {}.",
                                      names_text(noisy), more_bits(layer)));
}

void advise_on_dead(const Explanation& explanation, std::vector<std::string>& sentences) {
  auto with = [&](bool rounded) {
    return layers_with(explanation, [&](const LayerEvidence& layer) {
      return std::ranges::any_of(layer.dead, [&](const DeadChannel& channel) {
        return (channel.why == DeadChannel::Why::kRoundedAway) == rounded;
      });
    });
  };
  if (const auto names = with(false); !names.empty())
    sentences.push_back(fmt::format(
        "Channels of {} never change over the calibration data (zero weights, or a relu that never "
        "opens): with other data they may; if not, pruning them costs nothing.",
        names_text(names)));
  if (const auto names = with(true); !names.empty())
    sentences.push_back(
        fmt::format("Channels of {} live in float and are constant as integers: "
                    "--granularity channel or --method equalize.",
                    names_text(names)));
}

// Values are cut off, and not only those at the end of a range that holds all.
bool is_clipped(const LayerEvidence& layer) {
  const Plot& grid = layer.activations;
  const double slack = (grid.clip_max - grid.clip_min) / 128;
  return layer.error.clipped_share > kMuchClipped &&
         (layer.seen_min < grid.clip_min - slack || layer.seen_max > grid.clip_max + slack);
}

void advise_on_clipping(const Explanation& explanation, std::vector<std::string>& sentences) {
  const std::vector<std::string> clipped = layers_with(explanation, is_clipped);
  if (clipped.empty()) return;
  sentences.push_back(
      fmt::format("More than 1 % of the values of {} are at or beyond the end of the grid: "
                  "--calibrator min-max, or a larger --percentile.",
                  names_text(clipped)));
}

}  // namespace

std::vector<size_t> worst_first(const Explanation& explanation) {
  std::vector<size_t> order(explanation.layers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  auto error = [&](size_t i) {
    if (explanation.effects.empty()) return explanation.layers[i].error.local_sqnr_db;
    return explanation.effects[i] ? explanation.effects[i]->alone.output_sqnr_db : INFINITY;
  };
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return error(a) < error(b); });
  return order;
}

std::string finding_text(const LayerEvidence& layer, const ScaleFinding& finding) {
  const std::string channel =
      finding.channel < 0 ? ""
                          : fmt::format("channel {} of '{}'", finding.channel, layer.error.node);
  switch (finding.kind) {
    case Kind::kWeightScalesApart:
      return fmt::format("the scale of {} is {:.4g} times the smallest", channel, finding.value);
    case Kind::kWeightRangeUnused:
      return fmt::format(
          "the weights of {} are {:.4g} times as large as the median channel's, and "
          "they have one scale",
          channel, finding.value);
    case Kind::kActivationUnused:
      return fmt::format("{} reaches {:.4g} times as far as the median channel", channel,
                         finding.value);
    case Kind::kStepTooCoarse:
      return fmt::format("a step of '{}' is {:.4g} times the standard deviation of its values",
                         layer.error.node, finding.value);
    case Kind::kMultiplierTooLarge:
      return fmt::format("a step of the accumulator of {} is {:.4g} steps of its output", channel,
                         finding.value);
    case Kind::kMultiplierTooSmall:
      return fmt::format("the whole accumulator of {} spans {:.4g} steps of its output", channel,
                         finding.value);
  }
  NIBBLE_UNREACHABLE("kind {}", static_cast<int>(finding.kind));
}

std::vector<std::string> advice(const Explanation& explanation) {
  std::vector<std::string> sentences;
  if (explanation.layers.empty()) return sentences;
  if (explanation.real) {
    advise_on_scores(explanation, sentences);
    advise_on_effects(explanation, sentences);
  }
  const size_t before = sentences.size();
  advise_on_noise(explanation, sentences);
  for (Kind kind : {Kind::kWeightRangeUnused, Kind::kWeightScalesApart, Kind::kActivationUnused,
                    Kind::kStepTooCoarse, Kind::kMultiplierTooLarge, Kind::kMultiplierTooSmall}) {
    const std::vector<std::string> names =
        layers_with(explanation, [&](const LayerEvidence& layer) {
          return std::ranges::any_of(
              layer.findings, [&](const ScaleFinding& finding) { return finding.kind == kind; });
        });
    if (!names.empty())
      sentences.push_back(
          fmt::format("{}: {}; {}.", subject(kind), names_text(names), remedy(kind)));
  }
  advise_on_dead(explanation, sentences);
  advise_on_clipping(explanation, sentences);
  if (sentences.size() == before)
    sentences.push_back("No layer stands out by its own error, its scales or its clipping.");
  return sentences;
}

}  // namespace nibble
