// Runs whole graphs on the references of their operators, one sample at a time; activations are
// freed after their last reader, so that memory follows the graph's width and not its length.
#include "ops/ops.h"
#include "ops/run_context.h"

namespace nibble {
namespace {

thread_local std::shared_ptr<void>* current_slot = nullptr;

}  // namespace

std::shared_ptr<void>* node_slot() { return current_slot; }

NodeSlotScope::NodeSlotScope(std::shared_ptr<void>* slot) : previous_(current_slot) {
  current_slot = slot;
}
NodeSlotScope::~NodeSlotScope() { current_slot = previous_; }

struct Interpreter::State {
  const Graph& graph;
  std::vector<std::shared_ptr<void>> slots;          // per node
  std::vector<std::vector<ValueId>> released_after;  // per node: values it reads or writes last
  std::vector<Tensor> values;                        // per value; empty when not live

  explicit State(const Graph& graph_in);
  std::shared_ptr<void>* slot_of(size_t node_index);

  void run_one(size_t node_index, const NodeObserver& observer);
};

Interpreter::State::State(const Graph& graph_in)
    : graph(graph_in),
      slots(graph.nodes.size()),
      released_after(graph.nodes.size()),
      values(graph.values.size()) {
  std::vector<bool> kept(graph.values.size(), false);  // outputs, and values already assigned
  for (const Port& port : graph.outputs) kept[static_cast<size_t>(port.value)] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    auto release = [&](ValueId id) {
      if (id == kNoValue || graph.is_constant(id) || kept[static_cast<size_t>(id)]) return;
      kept[static_cast<size_t>(id)] = true;
      released_after[i].push_back(id);
    };
    for (ValueId id : graph.nodes[i].inputs) release(id);
    for (ValueId id : graph.nodes[i].outputs) release(id);
  }
}

std::shared_ptr<void>* Interpreter::State::slot_of(size_t node_index) {
  const auto& inputs = graph.nodes[node_index].inputs;
  for (size_t i = 1; i < inputs.size(); ++i)
    if (inputs[i] != kNoValue && !graph.is_constant(inputs[i])) return nullptr;
  return &slots[node_index];
}

void Interpreter::State::run_one(size_t node_index, const NodeObserver& observer) {
  const Node& node = graph.nodes[node_index];
  std::vector<const Tensor*> in;
  in.reserve(node.inputs.size());
  for (ValueId id : node.inputs) {
    if (id == kNoValue)
      in.push_back(nullptr);
    else
      in.push_back(graph.is_constant(id) ? &*graph.value(id).constant
                                         : &values[static_cast<size_t>(id)]);
  }
  std::vector<Tensor> out;
  {
    NodeSlotScope scope(slot_of(node_index));
    out = run_node(graph, node, in);
  }
  if (observer) observer(node, out);
  for (size_t i = 0; i < out.size(); ++i)
    values[static_cast<size_t>(node.outputs[i])] = std::move(out[i]);
  for (ValueId id : released_after[node_index]) values[static_cast<size_t>(id)] = Tensor();
}

Interpreter::Interpreter(const Graph& graph) : state_(std::make_unique<State>(graph)) {}
Interpreter::~Interpreter() = default;
Interpreter::Interpreter(Interpreter&&) noexcept = default;

std::vector<Tensor> Interpreter::run(std::span<const Tensor> inputs, const NodeObserver& observer) {
  const Graph& graph = state_->graph;
  NIBBLE_CHECK(inputs.size() == graph.inputs.size(), "{} inputs for {}", inputs.size(),
               graph.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorType& type = graph.type(graph.inputs[i].value);
    NIBBLE_CHECK(inputs[i].shape() == type.shape && inputs[i].dtype() == type.dtype,
                 "input {}: {} {} for {} {}", i, dtype_name(inputs[i].dtype()),
                 format_shape(inputs[i].shape()), dtype_name(type.dtype), format_shape(type.shape));
    Tensor& value = state_->values[static_cast<size_t>(graph.inputs[i].value)];
    value = inputs[i];
    value.set_quant(type.quant);
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) state_->run_one(i, observer);

  std::vector<Tensor> outputs;
  outputs.reserve(graph.outputs.size());
  for (const Port& port : graph.outputs) {
    const Value& value = graph.value(port.value);
    outputs.push_back(value.constant ? *value.constant
                                     : state_->values[static_cast<size_t>(port.value)]);
  }
  for (Tensor& value : state_->values) value = Tensor();
  return outputs;
}

std::vector<Tensor> run_node(const Graph& graph, const Node& node, Inputs in) {
  // Every operator has one output; operators with several would each add an overload of run.
  NIBBLE_CHECK(node.outputs.size() == 1, "{} has {} outputs", node.name, node.outputs.size());
  std::vector<Tensor> out;
  out.emplace_back(graph.type(node.outputs[0]));
  run_operator(node.op, graph.rounding, in, out[0]);
  return out;
}

}  // namespace nibble
