// The only way a pass changes a graph: edits are collected against an unchanged list of nodes, then
// applied at once; apply() restores topological order, drops nodes that were removed and keeps
// names unique.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graph/ir.h"

namespace nibble {

class Patch {
 public:
  explicit Patch(Graph& graph) : graph_(graph) {}

  // A name not used yet: `wanted`, or `wanted_2`, ... (a number that is already at its end is
  // replaced).
  std::string fresh_name(const std::string& wanted) const;
  // New values can be used as operands at once.
  ValueId add_constant(const std::string& name, Tensor tensor);
  ValueId add_value(const std::string& name, TensorType type);
  // The caller gives the outputs (made by add_value, or the outputs of a node it removes).
  void add_node(Op op, const std::string& name, std::vector<ValueId> inputs,
                std::vector<ValueId> outputs);
  void remove_node(int node_index);
  // Replaces a node's operator and operands, keeping its outputs, its name and its place.
  void replace_node(int node_index, Op op, std::vector<ValueId> inputs);
  // Every reader of `from` (graph outputs too) reads `to` from now on. Nodes that this patch adds
  // or replaces are taken at their word and go on reading `from`, unless nothing writes it any
  // more. A graph output keeps its name: `to` takes it over, unless `to` is itself an input or
  // output of the graph or a constant.
  void replace_uses(ValueId from, ValueId to);
  void set_type(ValueId value, TensorType type);
  // The new value takes over the port's name.
  void set_input(size_t port, Port input);
  void set_output(size_t port, Port output);
  bool empty() const { return edits_ == 0; }

  // Ids are renumbered (values that nothing uses any more are dropped); the patch is empty again.
  // Our bug if the result has a cycle or a value without writer.
  void apply();

 private:
  ValueId resolve(ValueId id) const;
  void rename_outputs(const std::vector<Port>& before);
  void give_unique_names(size_t first_new_node);
  void apply_nodes();

  Graph& graph_;
  int edits_ = 0;
  std::vector<Node> added_;
  std::vector<int> removed_;
  std::vector<std::pair<int, Node>> replaced_;
  std::vector<std::pair<ValueId, ValueId>> uses_;
  std::vector<std::pair<ValueId, TensorType>> types_;
  std::vector<std::pair<size_t, Port>> inputs_;
  std::vector<std::pair<size_t, Port>> outputs_;
};

// Sorts nodes so that writers come before readers, otherwise keeping their order. Error: names a
// node on a cycle.
Status sort_topologically(Graph& graph);

}  // namespace nibble
