// Applies the edits of a pass, and sorts nodes.
#include "graph/patch.h"

#include <algorithm>
#include <queue>

namespace nibble {
namespace {

// "conv_2" as "conv": counters do not pile up on one another.
std::string without_counter(const std::string& name) {
  size_t end = name.find_last_not_of("0123456789");
  if (end == std::string::npos || end + 1 == name.size() || end == 0 || name[end] != '_')
    return name;
  return name.substr(0, end);
}

// `wanted`, or wanted_2 and so on; a counter at the end of `wanted` that was given here goes on
// counting.
template <class Taken>
std::string unused_name(const std::string& wanted, const Taken& taken) {
  std::string base = wanted.empty() ? "unnamed" : wanted;
  if (!taken(base)) return base;
  if (std::string plain = without_counter(base); taken(plain)) base = plain;
  for (int64_t i = 2;; ++i) {
    std::string name = base + "_" + std::to_string(i);
    if (!taken(name)) return name;
  }
}

}  // namespace

std::string Patch::fresh_name(const std::string& wanted) const {
  return unused_name(wanted, [&](const std::string& name) {
    return std::any_of(graph_.values.begin(), graph_.values.end(),
                       [&](const Value& value) { return value.name == name; });
  });
}

ValueId Patch::add_constant(const std::string& name, Tensor tensor) {
  ValueId id = add_value(name, tensor.type());
  graph_.value(id).constant = std::move(tensor);
  return id;
}

ValueId Patch::add_value(const std::string& name, TensorType type) {
  graph_.values.push_back({fresh_name(name), std::move(type), std::nullopt});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

void Patch::add_node(Op op, const std::string& name, std::vector<ValueId> inputs,
                     std::vector<ValueId> outputs) {
  ++edits_;
  added_.push_back({name, std::move(op), std::move(inputs), std::move(outputs)});
}

void Patch::remove_node(int node_index) {
  ++edits_;
  removed_.push_back(node_index);
}

void Patch::replace_node(int node_index, Op op, std::vector<ValueId> inputs) {
  ++edits_;
  const Node& old = graph_.nodes[static_cast<size_t>(node_index)];
  replaced_.emplace_back(
      node_index, Node{old.name, std::move(op), std::move(inputs), old.outputs, old.keep_float});
}

void Patch::replace_uses(ValueId from, ValueId to) {
  ++edits_;
  uses_.emplace_back(from, to);
}

void Patch::set_type(ValueId value, TensorType type) {
  ++edits_;
  types_.emplace_back(value, std::move(type));
}

void Patch::set_input(size_t port, Port input) {
  ++edits_;
  inputs_.emplace_back(port, std::move(input));
}

void Patch::set_output(size_t port, Port output) {
  ++edits_;
  outputs_.emplace_back(port, std::move(output));
}

ValueId Patch::resolve(ValueId id) const {
  // Replacements may follow one another (a -> b, b -> c), but never in a ring.
  for (size_t hops = 0; hops <= uses_.size(); ++hops) {
    auto found =
        std::find_if(uses_.begin(), uses_.end(), [&](const auto& use) { return use.first == id; });
    if (found == uses_.end()) return id;
    id = found->second;
  }
  NIBBLE_UNREACHABLE("the uses of '{}' are replaced in a ring", graph_.value(id).name);
}

void Patch::apply_nodes() {
  const size_t old_count = graph_.nodes.size();
  // Which nodes speak for themselves (added or replaced), by their place before the removal.
  std::vector<bool> literal(old_count + added_.size(), false);
  for (auto& [index, node] : replaced_) {
    graph_.nodes[static_cast<size_t>(index)] = std::move(node);
    literal[static_cast<size_t>(index)] = true;
  }
  for (size_t i = old_count; i < literal.size(); ++i) literal[i] = true;
  for (Node& node : added_) graph_.nodes.push_back(std::move(node));
  std::vector<bool> removed(graph_.nodes.size(), false);
  for (int index : removed_) removed[static_cast<size_t>(index)] = true;

  std::vector<bool> written(graph_.values.size(), false);
  for (size_t i = 0; i < graph_.values.size(); ++i)
    written[i] = graph_.values[i].constant.has_value();
  for (const Port& port : graph_.inputs) written[static_cast<size_t>(port.value)] = true;
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    if (!removed[i])
      for (ValueId id : graph_.nodes[i].outputs) written[static_cast<size_t>(id)] = true;

  std::vector<Node> kept;
  size_t first_new = 0;
  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (i == old_count) first_new = kept.size();
    if (removed[i]) continue;
    for (ValueId& id : graph_.nodes[i].inputs)
      if (id != kNoValue && (!literal[i] || !written[static_cast<size_t>(id)])) id = resolve(id);
    for (ValueId id : graph_.nodes[i].inputs)
      NIBBLE_CHECK(id == kNoValue || written[static_cast<size_t>(id)],
                   "'{}' reads '{}', which nothing writes", graph_.nodes[i].name,
                   graph_.value(id).name);
    kept.push_back(std::move(graph_.nodes[i]));
  }
  if (added_.empty()) first_new = kept.size();
  graph_.nodes = std::move(kept);
  give_unique_names(first_new);
}

void Patch::give_unique_names(size_t first_new_node) {
  for (size_t i = first_new_node; i < graph_.nodes.size(); ++i) {
    std::string& name = graph_.nodes[i].name;
    name = unused_name(name, [&](const std::string& wanted) {
      return std::any_of(graph_.nodes.begin(), graph_.nodes.begin() + static_cast<ptrdiff_t>(i),
                         [&](const Node& node) { return node.name == wanted; });
    });
  }
}

void Patch::rename_outputs(const std::vector<Port>& before) {
  auto listed = [](const std::vector<Port>& ports, ValueId id) {
    return std::any_of(ports.begin(), ports.end(),
                       [&](const Port& port) { return port.value == id; });
  };
  for (size_t i = 0; i < before.size(); ++i) {
    ValueId from = before[i].value, to = graph_.outputs[i].value;
    if (from == to || listed(graph_.inputs, from) || listed(graph_.inputs, to) ||
        listed(before, to) || listed(graph_.outputs, from) || graph_.is_constant(to) ||
        graph_.is_constant(from))
      continue;
    std::swap(graph_.value(from).name, graph_.value(to).name);
  }
}

void Patch::apply() {
  for (auto& [id, type] : types_) {
    Value& value = graph_.value(id);
    NIBBLE_CHECK(!value.constant, "the type of the constant '{}' is its tensor's", value.name);
    value.type = std::move(type);
  }
  for (auto& [port, input] : inputs_) {
    std::swap(graph_.value(graph_.inputs[port].value).name, graph_.value(input.value).name);
    graph_.inputs[port] = std::move(input);
  }
  std::vector<Port> outputs_before = graph_.outputs;
  apply_nodes();
  for (Port& port : graph_.outputs) port.value = resolve(port.value);
  for (auto& [port, output] : outputs_) graph_.outputs[port] = std::move(output);
  rename_outputs(outputs_before);
  auto sorted = sort_topologically(graph_);
  NIBBLE_CHECK(sorted.ok(), "{}", sorted.error().message);
  drop_unused_values(graph_);

  edits_ = 0;
  added_.clear();
  removed_.clear();
  replaced_.clear();
  uses_.clear();
  types_.clear();
  inputs_.clear();
  outputs_.clear();
}

namespace {

bool is_sorted(const Graph& graph, const std::vector<int>& writers) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue && writers[static_cast<size_t>(id)] >= static_cast<int>(i)) return false;
  return true;
}

}  // namespace

Status sort_topologically(Graph& graph) {
  auto writers = producers(graph);
  if (is_sorted(graph, writers)) return {};
  const size_t count = graph.nodes.size();
  std::vector<int> waits(count, 0);  // operands that are not written yet
  std::vector<std::vector<int>> readers(count);
  for (size_t i = 0; i < count; ++i)
    for (ValueId id : graph.nodes[i].inputs) {
      if (id == kNoValue) continue;
      int writer = writers[static_cast<size_t>(id)];
      if (writer < 0) continue;
      ++waits[i];
      readers[static_cast<size_t>(writer)].push_back(static_cast<int>(i));
    }

  // Among the nodes that are ready, the one that stood first goes first.
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < count; ++i)
    if (waits[i] == 0) ready.push(static_cast<int>(i));
  std::vector<Node> sorted;
  sorted.reserve(count);
  std::vector<bool> done(count, false);
  while (!ready.empty()) {
    auto i = static_cast<size_t>(ready.top());
    ready.pop();
    done[i] = true;
    sorted.push_back(graph.nodes[i]);
    for (int reader : readers[i])
      if (--waits[static_cast<size_t>(reader)] == 0) ready.push(reader);
  }
  if (sorted.size() != count) {
    auto stuck = std::find(done.begin(), done.end(), false) - done.begin();
    return input_error("node '" + graph.nodes[static_cast<size_t>(stuck)].name +
                       "' stands on a cycle: its operands depend on its own result");
  }
  graph.nodes = std::move(sorted);
  return {};
}

}  // namespace nibble
