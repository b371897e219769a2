// Quantization with what is learned afterwards, and the checkpoints of learning.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "ops/ops.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

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

// FNV-1a.
void mix(uint64_t& hash, std::span<const uint8_t> bytes) {
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
}

constexpr uint64_t kStartHash = 0xcbf29ce484222325;

std::string hash_text(const Graph& graph) {
  uint64_t hash = kStartHash;
  mix(hash, nibble_bytes(graph));
  return fmt::format("{:016x}", hash);
}

// What a run starts from and is asked for: one that differs in any of it cannot go on from the
// other's state. `ranges`: the values whose ranges are learned.
std::string fingerprint(const Graph& real, const Graph& integer, std::span<const Tensor> samples,
                        const QuantizeOptions& options, const std::vector<std::string>& ranges) {
  uint64_t hash = kStartHash;
  mix(hash, nibble_bytes(real));
  mix(hash, nibble_bytes(integer));
  for (const Tensor& sample : samples) mix(hash, sample.bytes());
  std::string text = fmt::format("{} {} {}", options.seed, options.method_options.learn_steps,
                                 options.method_options.drop_share);
  for (Method method : options.methods) text += fmt::format(" {}", static_cast<int>(method));
  text += " " + join(ranges, " ");
  mix(hash, std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  return fmt::format("{:016x}", hash);
}

// A folder with state.json and the integer graph of that state. The graph is written first, under a
// name of its own, so that an interruption leaves one state or the other.
class Checkpoint {
 public:
  static Result<Checkpoint> open(const std::string& folder, const std::string& fingerprint) {
    Checkpoint checkpoint;
    checkpoint.folder_ = folder;
    checkpoint.fingerprint_ = fingerprint;
    if (folder.empty()) return checkpoint;
    std::error_code ignored, failed;
    fs::create_directories(checkpoint.folder_, failed);
    if (failed) return input_error(fmt::format("--checkpoint {}: {}", folder, failed.message()));
    const fs::path state = checkpoint.folder_ / "state.json";
    if (!fs::exists(state, ignored)) return checkpoint;
    NIBBLE_ASSIGN(std::string text, read_text_file(state));
    const auto json = nlohmann::json::parse(text, nullptr, false);
    auto integer = [&](const char* key) {
      return json.is_object() && json.contains(key) && json[key].is_number_integer()
                 ? json[key].get<int64_t>()
                 : -1;
    };
    checkpoint.method_ = integer("method");
    checkpoint.blocks_ = integer("blocks");
    if (checkpoint.method_ < 0 || checkpoint.blocks_ < 0)
      return input_error(state.string() +
                         " is no state of nibble's; remove the folder or name another one with "
                         "--checkpoint");
    if (!json.contains("fingerprint") || json["fingerprint"] != fingerprint)
      return input_error(state.string() +
                         " is of another run (another model, other data or options); remove the "
                         "folder or name another one with --checkpoint");
    NIBBLE_ASSIGN(checkpoint.graph_, read_nibble(checkpoint.graph_file()));
    if (!json.contains("graph") || json["graph"] != hash_text(*checkpoint.graph_))
      return input_error(checkpoint.graph_file().string() +
                         " is not what the run wrote; remove the folder or name another one with "
                         "--checkpoint");
    return checkpoint;
  }

  // The methods done, and the blocks of the one that was interrupted.
  int64_t method() const { return std::max<int64_t>(method_, 0); }
  int64_t blocks() const { return std::max<int64_t>(blocks_, 0); }
  const std::optional<Graph>& graph() const { return graph_; }

  Status save(int64_t method, int64_t blocks, const Graph& graph) {
    if (folder_.empty()) return {};
    const fs::path before = method_ < 0 ? fs::path() : graph_file();
    method_ = method;
    blocks_ = blocks;
    NIBBLE_TRY(write_nibble(graph, graph_file()));
    const nlohmann::ordered_json json = {{"fingerprint", fingerprint_},
                                         {"method", method},
                                         {"blocks", blocks},
                                         {"graph", hash_text(graph)}};
    NIBBLE_TRY(write_text_file(folder_ / "state.json", json.dump(1) + "\n"));
    std::error_code ignored;
    if (!before.empty() && before != graph_file()) fs::remove(before, ignored);
    return {};
  }

 private:
  fs::path graph_file() const {
    return folder_ / fmt::format("after_{}_{}.nibble", method_, blocks_);
  }

  fs::path folder_;
  std::string fingerprint_;
  int64_t method_ = -1, blocks_ = -1;
  std::optional<Graph> graph_;
};

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

}  // namespace

Result<Graph> learn_quantized(const Graph& graph, const CalibrationData& data,
                              const QuantizeOptions& options, QuantizeReport* report) {
  if (!needs_learning(options)) return quantize(graph, data, options, report);
  NIBBLE_TRY(check_settings(graph, options));
  QuantizeReport own;
  QuantizeReport& quantized = report ? *report : own;
  NIBBLE_ASSIGN(Graph integer, quantize(graph, data, without_learning(options), &quantized));
  quantized.calibrator = calibrator_name(options.all.activations.calibrator);
  const Graph& real = quantized.prepared;
  std::vector<Tensor> samples;
  for (int64_t i = 0; i < std::min(data.count, options.method_options.samples); ++i)
    samples.push_back(data.sample(i));

  LearnRangesOptions ranges;
  ranges.steps = options.method_options.learn_steps;
  ranges.seed = options.seed;
  ranges.values = learned_values(real, integer, options);
  NIBBLE_ASSIGN(Checkpoint checkpoint,
                Checkpoint::open(options.method_options.checkpoint,
                                 fingerprint(real, integer, samples, options, ranges.values)));
  NIBBLE_TRY(check_train());
  if (checkpoint.graph()) {
    integer = *checkpoint.graph();
  } else {
    if (!ranges.values.empty()) {
      NIBBLE_ASSIGN(RangesLoss loss, learn_ranges(real, integer, samples, ranges));
      NIBBLE_CHECK(!(loss.after > loss.before));
      NIBBLE_TRY(checkpoint.save(0, 0, integer));
    }
  }
  int64_t position = 0;
  for (Method method : options.methods) {
    const std::optional<Reconstruction> kind = reconstruction_of(method);
    if (!kind || position++ < checkpoint.method()) continue;
    ReconstructOptions learning;
    learning.method = *kind;
    learning.steps = options.method_options.learn_steps;
    learning.drop = options.method_options.drop_share;
    learning.seed = options.seed;
    if (position - 1 == checkpoint.method()) learning.blocks_done = checkpoint.blocks();
    learning.block_done = [&](int64_t blocks, const Graph& state) {
      return checkpoint.save(position - 1, blocks, state);
    };
    NIBBLE_ASSIGN(auto losses, reconstruct(real, integer, samples, learning));
    for (const BlockLoss& loss : losses) NIBBLE_CHECK(!(loss.after > loss.before));
    NIBBLE_TRY(checkpoint.save(position, 0, integer));
  }
  NIBBLE_TRY(verify_graph(integer, VerifyLevel::kQuantized));
  restate_ranges(integer, quantized.ranges);
  return integer;
}

}  // namespace nibble
