// What a quantization is asked for: settings, methods and calibration data.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "quantize/batch_norm_statistics.h"
#include "quantize/settings.h"

namespace nibble {

// What repairs a network around the rounding of its weights; methods.def lists them in the order in
// which they are applied.
enum class Method {
#define NIBBLE_PREPARING(enumerator, name, function, reads, what) enumerator,
#define NIBBLE_REFINING NIBBLE_PREPARING
#define NIBBLE_LEARNING(enumerator, name, reads, what) enumerator,
#include "quantize/methods/methods.def"
#undef NIBBLE_LEARNING
#undef NIBBLE_REFINING
#undef NIBBLE_PREPARING
};
// What a method looks at of MethodOptions.
enum MethodReads : unsigned {
  kReadsSamples = 1,
  kReadsSmoothShare = 2,
  kReadsSplitShare = 4,
  kReadsSteps = 8,  // and the checkpoint
  kReadsDropShare = 16,
};
struct MethodInfo {
  Method method;
  std::string_view name, what;
  unsigned reads;  // of MethodReads
};
std::span<const MethodInfo> all_methods();
std::string_view method_name(Method method);
// Changes rounding, scales and biases of the integer graph; the others rewrite the float graph.
bool is_refining(Method method);
// In the order of application. Error: no such method, with those that there are.
Result<std::vector<Method>> parse_methods(std::span<const std::string> names);

struct MethodOptions {
  int64_t samples = 512;       // of the calibration set, at most
  double smooth_share = 0.5;   // of what smooth moves
  double split_share = 0.02;   // channels that split-channels adds
  int64_t learn_steps = 1000;  // of learning methods: of the optimizer, per layer or block
  double drop_share = 0.5;     // of activations that qdrop leaves unrounded
  // Where learning methods keep what they have finished, to go on from there; empty: nowhere.
  std::string checkpoint = {};
};

struct QuantizeOptions {
  LayerSettings all;
  std::vector<LayerRule> rules;  // for some layers, over `all`
  Rounding rounding = Rounding::kTflite;
  std::vector<std::string> keep_float;  // node names that may stay float
  uint64_t seed = 1;                    // of stochastic rounding and of learning
  std::vector<Method> methods = {};     // as parse_methods orders them
  MethodOptions method_options;
};

// What is asked of a node, and of an input of the graph.
LayerSettings settings_of(const QuantizeOptions& options, const Node& node);
LayerSettings settings_of(const QuantizeOptions& options, const Graph& graph, const Port& input);

// What must be there for the option to be read: "--method qdrop" for "drop-share", "--calibrator
// percentile" for "percentile". Empty: it is, or the option is of no method and no calibrator. A
// [[layer]] that sets the calibrator counts.
std::string missing_reader(std::string_view option, const QuantizeOptions& options);

// Whether anything of this is learned with gradients: methods of train/, or learned ranges. It is
// the pipeline that does so (learn_quantized), after quantize().
bool needs_learning(const QuantizeOptions& options);
// The same options without that: the ranges that learning starts from.
QuantizeOptions without_learning(QuantizeOptions options);

// Whether the options name the node as one that may stay float.
bool keeps_float(const QuantizeOptions& options, const Node& node);
// Error: --keep-float or a [[layer]] names what the graph does not have.
Status check_names(const Graph& graph, const QuantizeOptions& options);

// Calibration inputs: sample(i) is the f32 tensor for graph.inputs[0].
struct CalibrationData {
  int64_t count = 0;
  std::function<Tensor(int64_t index)> sample;
  // What batch norms say of the graph's values; null: nothing.
  std::shared_ptr<const LayerStatistics> statistics = nullptr;
  // Made from those statistics, not measured: where they say something themselves, they are
  // believed.
  bool synthetic = false;
};

// Error: the graph is integer already, or has more than one input.
Status check_float_model(const Graph& graph);

}  // namespace nibble
