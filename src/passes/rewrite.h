// What the passes are written with: a view of who writes and reads each value, a driver that
// applies a rule until it finds nothing more, and the few facts about operators that several passes
// need. Inside passes/ only.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "ops/ops.h"

namespace nibble {

// A graph with its writers and readers; valid until the graph changes.
class View {
 public:
  explicit View(const Graph& graph);

  const Graph& graph() const { return graph_; }
  int node_count() const { return static_cast<int>(graph_.nodes.size()); }
  const Node& node(int index) const { return graph_.nodes[static_cast<size_t>(index)]; }
  const TensorType& type(ValueId id) const { return graph_.type(id); }
  const Shape& shape(ValueId id) const { return graph_.type(id).shape; }
  // Null if the value is not a constant.
  const Tensor* constant(ValueId id) const;

  // Index of the node that writes a value, -1 for inputs and constants.
  int writer(ValueId id) const { return writers_[static_cast<size_t>(id)]; }
  // Nodes that read a value, once per operand; -1 marks a graph output.
  const std::vector<int>& readers(ValueId id) const { return readers_[static_cast<size_t>(id)]; }
  // The node that alone reads a value, by one operand; -1 if there is none or the value is a graph
  // output.
  int only_reader(ValueId id) const;
  bool is_input(ValueId id) const { return is_input_[static_cast<size_t>(id)]; }
  bool is_output(ValueId id) const { return is_output_[static_cast<size_t>(id)]; }
  // Whether `op` is the operator of the node at `index`; false for index -1.
  template <class T>
  const T* op_as(int index) const {
    return index < 0 ? nullptr : std::get_if<T>(&node(index).op);
  }
  template <class T>
  const T* writer_as(ValueId id) const {
    return id == kNoValue ? nullptr : op_as<T>(writer(id));
  }

 private:
  const Graph& graph_;
  std::vector<int> writers_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> is_input_, is_output_;
};

// Looks at one node; if it finds its pattern there it fills the patch and returns true, otherwise
// it touches nothing. Adding values to the patch moves graph.values: take copies of types that are
// needed afterwards.
using Rule = bool (*)(const View& view, int node, Patch& patch);

// Applies the rules to every node, in order, until none finds anything; then drops the nodes that
// lost their last reader. Returns how often a rule found its pattern.
int rewrite(Graph& graph, std::initializer_list<Rule> rules);

// Removes nodes whose results reach no output; returns how many.
int drop_dead_nodes(Graph& graph);

// Removes a node that gives its first operand through unchanged. Refused (false) where the output
// of the graph would become one of its inputs, a constant or another of its outputs.
bool bypass(const View& view, int node, Patch& patch);
// The readers of `from` may read `to` instead; the condition of bypass.
bool may_replace(const View& view, ValueId from, ValueId to);

// clamp(clamp(x, first), second) as one clamp.
Bounds compose(const Bounds& first, const Bounds& second);

// Each element of the result depends on the same element of operand 0 alone, and on no other:
// clamps, activation functions, quantize and dequantize per tensor.
bool is_elementwise(const View& view, const Node& node);

bool is_float(const TensorType& type);
// The type with another shape.
TensorType with_shape(TensorType type, Shape shape);

}  // namespace nibble
