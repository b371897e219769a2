// Quantization with what is learned afterwards.
#include <fmt/format.h>

#include <algorithm>

#include "base/stopwatch.h"
#include "base/text.h"
#include "ops/ops.h"
#include "pipeline/checkpoint.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

std::optional<Reconstruction> reconstruction_of(Method method) {
  switch (method) {
    case Method::kAdaRound:
      return Reconstruction::kAdaRound;
    case Method::kAdaQuant:
      return Reconstruction::kAdaQuant;
    case Method::kBrecq:
      return Reconstruction::kBrecq;
    case Method::kQDrop:
      return Reconstruction::kQDrop;
    default:
      return std::nullopt;
  }
}

// What a run is given and asked for, as far as it is known before anything is computed: one that
// differs in any of it cannot go on from the other's state. The rest shows in what learning starts
// from.
std::string run_fingerprint(const Graph& graph, std::span<const Tensor> samples,
                            const QuantizeOptions& options) {
  Fingerprint fingerprint;
  fingerprint.add(nibble_bytes(graph));
  for (const Tensor& sample : samples) fingerprint.add(sample.bytes());
  std::string text = fmt::format("{} {} {}", options.seed, options.method_options.learn_steps,
                                 options.method_options.drop_share);
  for (Method method : options.methods) text += fmt::format(" {}", method_name(method));
  fingerprint.add(text);
  return fingerprint.text();
}

// `ranges`: the values whose ranges are learned.
std::string start_fingerprint(const Graph& real, const Graph& integer,
                              const std::vector<std::string>& ranges) {
  Fingerprint fingerprint;
  fingerprint.add(nibble_bytes(real));
  fingerprint.add(nibble_bytes(integer));
  fingerprint.add(join(ranges, " "));
  return fingerprint.text();
}

// Learned scales can have any value, and so can AdaQuant's; it moves weights over uniform levels.
Status check_settings(const Graph& graph, const QuantizeOptions& options) {
  const bool adaquant =
      std::ranges::find(options.methods, Method::kAdaQuant) != options.methods.end();
  for (const Node& node : graph.nodes) {
    const LayerSettings settings = settings_of(options, node);
    if (settings.activations.calibrator == Calibrator::kLearned &&
        settings.activations.scales != Scales::kReal)
      return usage_error(fmt::format(
          "'{}': learned ranges have any scale, and its settings allow some only; leave "
          "--activation-scales at real, or take another calibrator",
          node.name));
    if (!adaquant || quant_rule(node.op).weight < 0) continue;
    if (settings.weights.scales != Scales::kReal)
      return usage_error(fmt::format(
          "'{}': adaquant gives scales any value, and its settings allow some only; leave "
          "--weight-scales at real, or take adaround",
          node.name));
    if (settings.weights.levels != Levels::kUniform)
      return usage_error(
          fmt::format("'{}': adaquant moves weights over uniform levels, and its settings ask for "
                      "others; leave "
                      "--weight-levels at uniform, or take adaround",
                      node.name));
  }
  return {};
}

// The values of `integer` whose settings say that their range is learned.
std::vector<std::string> learned_values(const Graph& real, const Graph& integer,
                                        const QuantizeOptions& options) {
  std::vector<std::string> names;
  for (const Port& port : integer.inputs) {
    const std::string& name = integer.value(port.value).name;
    if (settings_of(options, integer, port).activations.calibrator == Calibrator::kLearned)
      names.push_back(name);
  }
  for (const Node& node : integer.nodes) {
    const bool twin =
        std::ranges::any_of(real.nodes, [&](const Node& other) { return other.name == node.name; });
    if (twin && is_integer(integer.type(node.outputs[0]).dtype) &&
        settings_of(options, node).activations.calibrator == Calibrator::kLearned)
      names.push_back(integer.value(node.outputs[0]).name);
  }
  return names;
}

// The ends of ranges as learning left them.
void restate_ranges(const Graph& integer, std::vector<ValueRange>& ranges) {
  for (ValueRange& range : ranges)
    for (const Value& value : integer.values)
      if (value.name == range.value && value.type.quant) set_ends(range, *value.type.quant);
}

// Learning on the integer network that quantize() made: ranges, then one method after the other.
class Learner {
 public:
  Learner(const Graph& real, std::span<const Tensor> samples, const QuantizeOptions& options,
          Checkpoint& checkpoint)
      : real_(real), samples_(samples), options_(options), checkpoint_(checkpoint) {}

  // From `start`, or from what the checkpoint has.
  Result<LearningState> run(Graph start, std::vector<std::string> ranges,
                            std::vector<StageTime>& times) {
    if (checkpoint_.state()) {
      state_ = *checkpoint_.state();
    } else {
      state_.integer = std::move(start);
      if (!ranges.empty()) {
        const Stopwatch watch;
        NIBBLE_TRY(learn_the_ranges(std::move(ranges)));
        times.push_back({state_.learned.back().name, watch.seconds()});
      }
    }
    int64_t position = 0;
    for (Method method : options_.methods) {
      const std::optional<Reconstruction> kind = reconstruction_of(method);
      if (!kind || position++ < state_.methods) continue;
      const Stopwatch watch;
      NIBBLE_TRY(learn_method(*kind, std::string(method_name(method))));
      times.push_back({std::string(method_name(method)), watch.seconds()});
    }
    return std::move(state_);
  }

 private:
  Status learn_the_ranges(std::vector<std::string> values) {
    LearnRangesOptions learning;
    learning.steps = options_.method_options.learn_steps;
    learning.seed = options_.seed;
    learning.values = std::move(values);
    NIBBLE_ASSIGN(RangesLoss loss, learn_ranges(real_, state_.integer, samples_, learning));
    NIBBLE_CHECK(loss.after <= loss.before);
    state_.learned.push_back({std::string(calibrator_name(Calibrator::kLearned)) + " ranges",
                              {{"the network's output", loss.before, loss.after}}});
    return checkpoint_.save(state_);
  }

  Status learn_method(Reconstruction kind, std::string name) {
    ReconstructOptions learning;
    learning.method = kind;
    learning.steps = options_.method_options.learn_steps;
    learning.drop = options_.method_options.drop_share;
    learning.seed = options_.seed;
    learning.blocks_done = state_.blocks;
    if (state_.blocks == 0) state_.learned.push_back({std::move(name), {}});
    learning.block_done = [&](int64_t blocks, const BlockLoss& loss, const Graph& integer) {
      NIBBLE_CHECK(loss.after <= loss.before, "{}", loss.nodes);
      state_.learned.back().parts.push_back({loss.nodes, loss.before, loss.after});
      return checkpoint_.save({state_.methods, blocks, integer, state_.learned});
    };
    NIBBLE_TRY(reconstruct(real_, state_.integer, samples_, learning));
    ++state_.methods;
    state_.blocks = 0;
    return checkpoint_.save(state_);
  }

  const Graph& real_;
  std::span<const Tensor> samples_;
  const QuantizeOptions& options_;
  Checkpoint& checkpoint_;
  LearningState state_;
};

}  // namespace

Result<Graph> learn_quantized(const Graph& graph, const CalibrationData& data,
                              const QuantizeOptions& options, QuantizeReport* report) {
  if (!needs_learning(options)) return quantize(graph, data, options, report);
  NIBBLE_TRY(check_settings(graph, options));
  std::vector<Tensor> samples;
  for (int64_t i = 0; i < std::min(data.count, options.method_options.samples); ++i)
    samples.push_back(data.sample(i));
  // All that can be wrong is said before the calibration takes its time.
  NIBBLE_ASSIGN(Checkpoint checkpoint, Checkpoint::open(options.method_options.checkpoint,
                                                        run_fingerprint(graph, samples, options)));
  NIBBLE_TRY(check_train());
  QuantizeReport own;
  QuantizeReport& quantized = report ? *report : own;
  NIBBLE_ASSIGN(Graph start, quantize(graph, data, without_learning(options), &quantized));
  quantized.calibrator = calibrator_name(options.all.activations.calibrator);
  const Graph& real = quantized.prepared;
  std::vector<std::string> ranges = learned_values(real, start, options);
  NIBBLE_TRY(checkpoint.begin(start_fingerprint(real, start, ranges)));
  NIBBLE_ASSIGN(LearningState state,
                Learner(real, samples, options, checkpoint)
                    .run(std::move(start), std::move(ranges), quantized.times));
  quantized.learned = std::move(state.learned);
  NIBBLE_TRY(verify_graph(state.integer, VerifyLevel::kQuantized));
  restate_ranges(state.integer, quantized.ranges);
  return std::move(state.integer);
}

}  // namespace nibble
