#include "quantize/batch_norm_statistics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/rng.h"
#include "base/text.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// Random inputs on which channels are told apart: enough for layers with one position each.
constexpr int kSamples = 8;
// Of what float32 and another order of sums may differ by, of the channel's largest value.
constexpr double kSame = 1e-3;

// Of one channel, over all samples and positions.
using Values = std::vector<float>;
using Channels = std::vector<Values>;

void append(Channels& channels, const Tensor& tensor) {
  auto values = tensor.data<float>();
  if (tensor.shape().empty()) return;
  channels.resize(static_cast<size_t>(tensor.shape().back()));
  for (size_t i = 0; i < values.size(); ++i) channels[i % channels.size()].push_back(values[i]);
}

double largest_of(const Values& values) {
  double largest = 0;
  for (float value : values) largest = std::max(largest, static_cast<double>(std::abs(value)));
  return largest;
}

bool same(const Values& a, const Values& b, double allowed) {
  for (size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) <= allowed)) return false;
  return true;
}

// The channel of `source` that each of `found` is; in their order, as no pass changes it.
std::optional<std::vector<size_t>> matched(const Channels& found, const Channels& source) {
  if (found.empty() || source.empty() || found[0].size() != source[0].size()) return std::nullopt;
  double scale = 0;
  for (const Values& values : source) scale = std::max(scale, largest_of(values));
  std::vector<size_t> matches;
  size_t next = 0;
  for (const Values& values : found) {
    const double allowed = kSame * std::max(largest_of(values), kSame * scale);
    while (next < source.size() && !same(values, source[next], allowed)) ++next;
    if (next == source.size()) return std::nullopt;
    matches.push_back(next++);
  }
  return matches;
}

// One batch norm of the imported graph.
struct Norm {
  std::set<std::string> nodes;  // names that what it belongs to may have after the passes
  std::set<std::string> inputs;
  ChannelStatistics read, written;
  ValueId src = kNoValue, dst = kNoValue;
};

bool moves_elements(const Op& op) {
  return std::holds_alternative<Transpose>(op) || std::holds_alternative<Reshape>(op) ||
         std::holds_alternative<BatchNorm>(op);
}

std::vector<Norm> norms_of(const Graph& graph) {
  const std::vector<int> writers = producers(graph);
  std::vector<Norm> norms;
  for (const Node& node : graph.nodes) {
    const auto* op = std::get_if<BatchNorm>(&node.op);
    if (!op) continue;
    if (!std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                     [&](ValueId id) { return graph.is_constant(id); }))
      continue;
    auto values = [&](size_t k) { return graph.value(node.inputs[k]).constant->data<float>(); };
    auto gamma = values(1), beta = values(2), mean = values(3), variance = values(4);
    Norm norm;
    for (size_t c = 0; c < gamma.size(); ++c) {
      const auto v = std::max(0.0, static_cast<double>(variance[c]));
      const double with_epsilon = v + static_cast<double>(op->epsilon);
      norm.read.mean.push_back(static_cast<double>(mean[c]));
      norm.read.deviation.push_back(std::sqrt(v));
      norm.written.mean.push_back(static_cast<double>(beta[c]));
      norm.written.deviation.push_back(with_epsilon > 0 ? std::abs(static_cast<double>(gamma[c])) *
                                                              std::sqrt(v / with_epsilon)
                                                        : 0);
    }
    norm.src = node.inputs[0];
    norm.dst = node.outputs[0];
    norm.nodes = {node.name};
    ValueId id = norm.src;
    for (int writer; (writer = writers[static_cast<size_t>(id)]) >= 0;) {
      const Node& before = graph.nodes[static_cast<size_t>(writer)];
      norm.nodes.insert(before.name);
      if (!moves_elements(before.op)) break;
      id = before.inputs[0];
    }
    if (writers[static_cast<size_t>(id)] < 0) norm.inputs.insert(graph.value(id).name);
    norms.push_back(std::move(norm));
  }
  return norms;
}

// The tensor of a graph's port in the order of the file, whose axis source_perm[i] is its axis i.
Tensor in_file_order(const Tensor& tensor, const Port& port) {
  return port.source_perm.empty() ? tensor : transposed(tensor, inverse(port.source_perm));
}
Tensor in_graph_order(const Tensor& tensor, const Port& port) {
  return port.source_perm.empty() ? tensor : transposed(tensor, port.source_perm);
}

// What the nodes compute before their activations, by value, over the samples so far.
class BareRun {
 public:
  explicit BareRun(const Graph& graph) : graph_(graph), bare_(graph) {
    for (Node& node : bare_.nodes)
      if (Bounds* act = activation_of(node.op)) *act = {};
  }
  // `wanted`: values whose channels are kept.
  void run(const std::vector<Tensor>& inputs, const std::set<ValueId>& wanted) {
    std::map<ValueId, Tensor> live;
    auto keep = [&](ValueId id, const Tensor& tensor) {
      if (wanted.contains(id) && tensor.dtype() == DType::kF32) append(channels_[id], tensor);
    };
    for (size_t k = 0; k < inputs.size(); ++k) {
      const ValueId id = graph_.inputs[k].value;
      keep(id, inputs[k]);
      live[id] = inputs[k];
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      std::vector<const Tensor*> operands;
      for (ValueId id : node.inputs)
        operands.push_back(id == kNoValue           ? nullptr
                           : graph_.is_constant(id) ? &*graph_.value(id).constant
                                                    : &live.at(id));
      std::vector<Tensor> outputs = run_node(graph_, node, operands);
      if (wanted.contains(node.outputs[0]))
        keep(node.outputs[0], run_node(bare_, bare_.nodes[i], operands)[0]);
      for (size_t k = 0; k < outputs.size(); ++k) live[node.outputs[k]] = std::move(outputs[k]);
    }
  }
  const Channels& at(ValueId id) { return channels_[id]; }

 private:
  const Graph& graph_;
  Graph bare_;
  std::map<ValueId, Channels> channels_;
};

ChannelStatistics selected(const ChannelStatistics& all, const std::vector<size_t>& channels) {
  ChannelStatistics result;
  for (size_t c : channels) {
    result.mean.push_back(all.mean[c]);
    result.deviation.push_back(all.deviation[c]);
  }
  return result;
}

bool is_real(const Graph& graph) {
  return std::ranges::all_of(
      graph.inputs, [&](const Port& port) { return graph.type(port.value).dtype == DType::kF32; });
}

}  // namespace

LayerStatistics batch_norm_statistics(const Graph& imported, const Graph& simplified) {
  const std::vector<Norm> norms = norms_of(imported);
  if (norms.empty() || imported.inputs.size() != simplified.inputs.size() || !is_real(imported) ||
      !is_real(simplified))
    return {};
  std::set<ValueId> read, candidates;
  std::vector<std::pair<ValueId, const Norm*>> pairs;
  for (const Norm& norm : norms) {
    read.insert({norm.src, norm.dst});
    auto add = [&](ValueId id) {
      candidates.insert(id);
      pairs.emplace_back(id, &norm);
    };
    for (const Port& port : simplified.inputs)
      if (norm.inputs.contains(simplified.value(port.value).name)) add(port.value);
    for (const Node& node : simplified.nodes)
      if (norm.nodes.contains(node.name)) add(node.outputs[0]);
  }
  Rng rng(1);
  BareRun source(imported), found(simplified);
  for (int s = 0; s < kSamples; ++s) {
    std::vector<Tensor> inputs, own;
    for (size_t k = 0; k < simplified.inputs.size(); ++k) {
      const Port &port = simplified.inputs[k], &file = imported.inputs[k];
      Tensor tensor(simplified.type(port.value));
      for (float& value : tensor.mutable_data<float>()) value = static_cast<float>(rng.normal());
      inputs.push_back(tensor);
      own.push_back(in_graph_order(in_file_order(tensor, port), file));
      if (own.back().shape() != imported.type(file.value).shape) return {};
    }
    source.run(own, read);
    found.run(inputs, candidates);
  }
  LayerStatistics statistics;
  for (const auto& [id, norm] : pairs) {
    const std::string& name = simplified.value(id).name;
    if (auto channels = matched(found.at(id), source.at(norm->dst)))
      statistics[name] = selected(norm->written, *channels);
    else if (auto before = matched(found.at(id), source.at(norm->src)))
      statistics.try_emplace(name, selected(norm->read, *before));
  }
  return statistics;
}

Error no_statistics(const std::string& model, const std::string& what) {
  return input_error(fmt::format(
      "{} needs the statistics of batch norms, and '{}' has none that can be used: they are gone "
      "where a converter has folded them into the layers before (TFLite's always does); take an "
      "ONNX file exported with its batch norms as they were trained, or calibrate with real "
      "inputs (--calibration DATA)",
      what, model));
}

}  // namespace nibble
