// What quantization does to each layer, as numbers: how far its integers are from the float
// network's values, how they use their grid, which channels are dead, which scales are absurd, and
// histograms to plot. Part of the public header quantize/quantize.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "quantize/options.h"

namespace nibble {

// 10 log10(signal / noise) of two powers: infinite without noise, else minus infinity without
// signal.
double decibel(double signal, double noise);

// Every node's output, float against integer, over the samples given.
struct LayerError {
  std::string node, op;
  double sqnr_db =
      0;  // 10 log10(sum real^2 / sum (real - dequantized)^2), errors accumulated from the input on
  double local_sqnr_db = 0;  // the node alone: fed with the float graph's own (quantized) inputs
  double max_abs_error = 0;
  double clipped_share = 0;  // of values at q_min or q_max
  double cosine = 1;         // sum real dequantized / sqrt(sum real^2 sum dequantized^2)
};
Result<std::vector<LayerError>> compare_layers(const Graph& real, const Graph& integer,
                                               const CalibrationData& data, int64_t max_samples);

// Values at the ends of the grid.
struct Saturation {
  int64_t low = 0, high = 0, count = 0;  // at q_min, at q_max, of all
  bool low_is_zero = false;              // q_min stands for real zero, as after a relu
};

// A channel (position along the innermost axis of the output) that tells nothing.
struct DeadChannel {
  enum class Why {
    kZeroWeights,  // the float weights are all zero
    kConstant,     // the float output is one number, whatever the sample and the position
    kRoundedAway   // the float output varies, the integers do not
  };
  int64_t channel = 0;
  Why why = Why::kConstant;
};
std::string_view dead_channel_why(DeadChannel::Why why);  // "zero_weights", ...

// A scale that wastes its grid or does not fit its values; doc/quantization.md has the definitions.
struct ScaleFinding {
  enum class Kind {
    kWeightScalesApart,   // scales of one filter's channels: largest / smallest
    kWeightRangeUnused,   // one scale for all weights: its range / the median channel's
    kActivationUnused,    // the range of an activation / the median channel's
    kStepTooCoarse,       // step of an activation / its standard deviation
    kMultiplierTooLarge,  // in_scale * weight_scale / out_scale, output steps per accumulator step
    kMultiplierTooSmall   // output steps that the channel's whole accumulator range spans
  };
  Kind kind = Kind::kWeightScalesApart;
  double value = 0, limit = 0;
  int64_t channel = -1;  // where one is meant
};
std::string_view scale_finding_name(ScaleFinding::Kind kind);  // "weight_scales_apart", ...

// At most kPlotBins bins of one width, a power of two, aligned to zero.
struct Plot {
  static constexpr size_t kBins = 64;
  double first_edge = 0, bin_width = 0;
  std::vector<int64_t> counts;
  double clip_min = 0, clip_max = 0;  // what the grid can hold
};

// One row per input of the graph (op "input", named by its value), then one per node with an
// integer output that the float graph has too.
struct LayerEvidence {
  LayerError error;
  ValueId value = kNoValue;  // of the float graph: the input, or what the node writes
  Saturation saturation;
  int64_t channels = 0;
  std::vector<DeadChannel> dead;  // of layers with weights
  std::optional<double> weight_sqnr_db;
  int weight_bits = 0, activation_bits = 0;  // 0: no weights
  bool weights_per_tensor = false;
  double seen_min = 0, seen_max = 0;  // of the float values
  double deviation = 0;               // standard deviation of the float values
  std::vector<ScaleFinding> findings;
  std::optional<Plot> weights;
  Plot activations;
};
// `real` is QuantizeReport::prepared, `integer` what quantize() made of it. On all cores; the
// result does not depend on their number. Memory: one histogram per activation and core.
Result<std::vector<LayerEvidence>> layer_evidence(const Graph& real, const Graph& integer,
                                                  const CalibrationData& data, int64_t max_samples);

}  // namespace nibble
