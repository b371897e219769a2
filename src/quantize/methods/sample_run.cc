#include "quantize/methods/sample_run.h"

#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// A graph of this node alone, whose inputs are the node's activations.
Graph alone(const Graph& graph, const Node& node) {
  Graph result;
  result.name = node.name;
  result.rounding = graph.rounding;
  Node copy = node;
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    if (node.inputs[k] == kNoValue) continue;
    Value value = graph.value(node.inputs[k]);
    value.name = "operand_" + std::to_string(k);
    copy.inputs[k] = static_cast<ValueId>(result.values.size());
    if (!value.constant) result.inputs.push_back({copy.inputs[k], {}});
    result.values.push_back(std::move(value));
  }
  copy.outputs = {static_cast<ValueId>(result.values.size())};
  result.values.push_back(graph.value(node.outputs[0]));
  result.outputs.push_back({copy.outputs[0], {}});
  result.nodes.push_back(std::move(copy));
  return result;
}

std::vector<ValueId> activations(const Graph& graph, const Node& node) {
  std::vector<ValueId> ids;
  for (ValueId id : node.inputs)
    if (id != kNoValue && !graph.is_constant(id)) ids.push_back(id);
  return ids;
}

}  // namespace

std::vector<Tensor> run_samples(const Graph& graph, const Node& node,
                                const std::vector<std::vector<Tensor>>& inputs) {
  const Graph single = alone(graph, node);
  std::vector<Tensor> outputs(inputs.size());
  std::vector<std::unique_ptr<Interpreter>> workers(static_cast<size_t>(parallel_workers()));
  parallel_for(static_cast<int64_t>(inputs.size()), [&](int64_t begin, int64_t end, int worker) {
    auto& interpreter = workers[static_cast<size_t>(worker)];
    if (!interpreter) interpreter = std::make_unique<Interpreter>(single);
    for (auto s = static_cast<size_t>(begin); s < static_cast<size_t>(end); ++s)
      outputs[s] = std::move(interpreter->run(inputs[s])[0]);
  });
  return outputs;
}

SampleRun::SampleRun(const Graph& graph, std::vector<Tensor> samples)
    : graph_(graph), last_reader_(graph.values.size(), 0) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue) last_reader_[static_cast<size_t>(id)] = i;
  for (const Port& port : graph.outputs) last_reader_[static_cast<size_t>(port.value)] = SIZE_MAX;
  live_[graph.inputs[0].value] = std::move(samples);
}

const std::vector<Tensor>& SampleRun::at(ValueId id) const {
  const auto found = live_.find(id);
  NIBBLE_CHECK(found != live_.end(), "'{}' is not live", graph_.value(id).name);
  return found->second;
}

void SampleRun::run_next() {
  const Node& node = graph_.nodes[next_];
  const std::vector<ValueId> ids = activations(graph_, node);
  const size_t samples = live_.begin()->second.size();
  std::vector<std::vector<Tensor>> inputs(samples);
  for (ValueId id : ids)
    for (size_t s = 0; s < samples; ++s) inputs[s].push_back(at(id)[s]);
  std::vector<Tensor> outputs = run_samples(graph_, node, inputs);
  for (ValueId id : ids)
    if (last_reader_[static_cast<size_t>(id)] == next_) live_.erase(id);
  live_[node.outputs[0]] = std::move(outputs);
  ++next_;
}

}  // namespace nibble
