// The public header of quantize/: float graph → integer graph, by post-training quantization.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// How the range of an activation is chosen; calibrators.def lists them.
enum class Calibrator {
#define NIBBLE_CALIBRATOR(enumerator, name, function) enumerator,
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR
};
Result<Calibrator> parse_calibrator(std::string_view name);
std::string_view calibrator_name(Calibrator calibrator);
std::vector<std::string> calibrator_names();

// The widths of weights and activations that `--scheme` names.
struct Scheme {
  std::string_view name;
  int activation_bits = 8;
  std::string_view what;  // "8-bit weights and activations"
};
std::span<const Scheme> all_schemes();
// "int8 (8-bit weights and activations), ..."
std::string schemes_text();
// Error: no such name, with those that there are.
Result<Scheme> find_scheme(std::string_view name);

struct QuantizeOptions {
  Calibrator calibrator = Calibrator::kMinMax;
  double percentile = 99.99;  // percentile calibrator: this share of values lies inside
  double momentum = 0.9;      // moving average: range ← momentum * range + (1-momentum) * sample
  bool per_channel = true;    // weights of conv2d, depthwise_conv2d, dense
  bool per_channel_dense = true;
  Rounding rounding = Rounding::kTflite;
  // Of activations: 8, asymmetric; or 16, symmetric, with biases of 64 bits (the 16x8 scheme).
  int activation_bits = 8;
  std::vector<std::string> keep_float;  // node names that may stay float
};

// Statistics of every activation over the calibration set, in memory that does not depend on its
// size.
struct ValueRange {
  std::string value;
  double seen_min = 0, seen_max = 0;  // over the whole set
  double min = 0, max = 0;            // chosen by the calibrator
};

struct QuantizeReport {
  std::string calibrator;
  int64_t samples = 0;
  std::vector<ValueRange> ranges;
  std::vector<std::string> float_nodes;  // left in float, only those that keep_float names
};

// Calibration inputs: sample(i) is the f32 tensor for graph.inputs[0].
struct CalibrationData {
  int64_t count = 0;
  std::function<Tensor(int64_t index)> sample;
};

// `graph` is float and simplified. Result: verified at level kQuantized; its inputs and outputs are
// integers. Errors: no samples, non-finite activations (named), an operator without integer form
// (all of them, named).
Result<Graph> quantize(const Graph& graph, const CalibrationData& data,
                       const QuantizeOptions& options, QuantizeReport* report = nullptr);

// Signal to quantization noise of every node's output, float against integer, over the samples
// given.
struct LayerError {
  std::string node, op;
  double sqnr_db =
      0;  // 10 log10(sum real^2 / sum (real - dequantized)^2), errors accumulated from the input on
  double local_sqnr_db = 0;  // the node alone: fed with the float graph's own (quantized) inputs
  double max_abs_error = 0;
  double clipped_share = 0;  // of values at q_min or q_max
};
Result<std::vector<LayerError>> compare_layers(const Graph& real, const Graph& integer,
                                               const CalibrationData& data, int64_t max_samples);

}  // namespace nibble
