// The driver of rules, and facts about operators.
#include "passes/rewrite.h"

#include <algorithm>
#include <type_traits>

namespace nibble {

View::View(const Graph& graph)
    : graph_(graph),
      writers_(producers(graph)),
      readers_(consumers(graph)),
      is_input_(graph.values.size(), false),
      is_output_(graph.values.size(), false) {
  for (const Port& port : graph.inputs) is_input_[static_cast<size_t>(port.value)] = true;
  for (const Port& port : graph.outputs) is_output_[static_cast<size_t>(port.value)] = true;
}

const Tensor* View::constant(ValueId id) const {
  if (id == kNoValue) return nullptr;
  const auto& constant = graph_.value(id).constant;
  return constant ? &*constant : nullptr;
}

int View::only_reader(ValueId id) const {
  const auto& list = readers(id);
  return list.size() == 1 ? list[0] : -1;
}

int rewrite(Graph& graph, std::initializer_list<Rule> rules) {
  // Every rule makes something smaller or moves it one way, so this bound only stops a bug from
  // hanging.
  const int64_t limit = 10000 + 200 * static_cast<int64_t>(graph.nodes.size());
  int64_t changes = 0;
  auto view = std::make_optional<View>(graph);
  auto apply_one = [&](int index) {
    for (Rule rule : rules) {
      Patch patch(graph);
      if (!rule(*view, index, patch)) continue;
      patch.apply();
      view.emplace(graph);
      NIBBLE_CHECK(++changes <= limit, "a pass does not come to an end");
      return true;
    }
    return false;
  };
  for (bool again = true; again;) {
    again = false;
    for (int index = 0; index < view->node_count();) {
      if (apply_one(index))
        again = true;  // another node may stand at this index now
      else
        ++index;
    }
  }
  if (changes > 0) drop_dead_nodes(graph);
  return static_cast<int>(changes);
}

int drop_dead_nodes(Graph& graph) {
  std::vector<bool> live(graph.values.size(), false);
  for (const Port& port : graph.outputs) live[static_cast<size_t>(port.value)] = true;
  Patch patch(graph);
  int removed = 0;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    bool used = false;
    for (ValueId id : node.outputs) used = used || live[static_cast<size_t>(id)];
    if (!used) {
      patch.remove_node(static_cast<int>(i));
      ++removed;
      continue;
    }
    for (ValueId id : node.inputs)
      if (id != kNoValue) live[static_cast<size_t>(id)] = true;
  }
  if (removed > 0) patch.apply();
  return removed;
}

bool may_replace(const View& view, ValueId from, ValueId to) {
  if (!view.is_output(from)) return true;
  return !view.is_input(to) && !view.is_output(to) && !view.graph().is_constant(to);
}

bool bypass(const View& view, int index, Patch& patch) {
  const Node& node = view.node(index);
  ValueId src = node.inputs[0], dst = node.outputs[0];
  if (!may_replace(view, dst, src)) return false;
  patch.remove_node(index);
  patch.replace_uses(dst, src);
  return true;
}

Bounds compose(const Bounds& first, const Bounds& second) {
  return {std::min(std::max(first.min, second.min), second.max),
          std::min(std::max(first.max, second.min), second.max)};
}

bool is_elementwise(const View& view, const Node& node) {
  return std::visit(
      [&](const auto& op) {
        using T = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<T, Clamp> || std::is_same_v<T, LeakyRelu> ||
                      std::is_same_v<T, Sigmoid> || std::is_same_v<T, Tanh> ||
                      std::is_same_v<T, HardSwish> || std::is_same_v<T, HardSigmoid> ||
                      std::is_same_v<T, Quantize> || std::is_same_v<T, Dequantize>) {
          const auto& src = view.type(node.inputs[0]).quant;
          const auto& dst = view.type(node.outputs[0]).quant;
          return (!src || src->per_tensor()) && (!dst || dst->per_tensor());
        } else {
          return false;
        }
      },
      node.op);
}

bool is_float(const TensorType& type) { return type.dtype == DType::kF32; }

TensorType with_shape(TensorType type, Shape shape) {
  type.shape = std::move(shape);
  return type;
}

}  // namespace nibble
