// The public header of quantize/: float graph → integer graph, by post-training quantization.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "quantize/settings.h"

namespace nibble {

// What repairs a network around the rounding of its weights; methods.def lists them in the order in
// which they are applied.
enum class Method {
#define NIBBLE_PREPARING(enumerator, name, function, what) enumerator,
#define NIBBLE_REFINING NIBBLE_PREPARING
#include "quantize/methods/methods.def"
#undef NIBBLE_REFINING
#undef NIBBLE_PREPARING
};
struct MethodInfo {
  Method method;
  std::string_view name, what;
};
std::span<const MethodInfo> all_methods();
// In the order of application. Error: no such method, with those that there are.
Result<std::vector<Method>> parse_methods(std::span<const std::string> names);

struct MethodOptions {
  int64_t samples = 256;      // of the calibration set
  double smooth_share = 0.5;  // of what smooth moves
  double split_share = 0.02;  // channels that split-channels adds
};

struct QuantizeOptions {
  LayerSettings all;
  std::vector<LayerRule> rules;  // for some layers, over `all`
  Rounding rounding = Rounding::kTflite;
  std::vector<std::string> keep_float;  // node names that may stay float
  uint64_t seed = 1;                    // of stochastic rounding
  std::vector<Method> methods = {};     // as parse_methods orders them
  MethodOptions method_options;
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
  Graph prepared;  // the float graph as the preparing methods left it: what layers compare with
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
