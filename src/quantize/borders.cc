#include "quantize/borders.h"

namespace nibble {
namespace {

class Borders {
 public:
  explicit Borders(Graph& graph)
      : graph_(graph), patch_(graph), real_(graph.values.size(), kNoValue) {}

  void run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      if (graph_.nodes[i].keep_float) surround(i);
    if (!patch_.empty()) patch_.apply();
  }

 private:
  void surround(size_t index) {
    Node node = graph_.nodes[index];
    for (ValueId& id : node.inputs)
      if (is_integer(id)) id = dequantized(id, node.name);
    for (ValueId& id : node.outputs) {
      if (!is_integer(id)) continue;
      const ValueId integer = id;
      id = add_real(integer);
      patch_.add_node(Quantize{}, node.name + "_quantize", {id}, {integer});
    }
    graph_.nodes[index].outputs = node.outputs;
    patch_.replace_node(static_cast<int>(index), node.op, node.inputs);
  }

  bool is_integer(ValueId id) const { return id != kNoValue && graph_.type(id).quant.has_value(); }

  ValueId dequantized(ValueId integer, const std::string& reader) {
    const ValueId found = real_[static_cast<size_t>(integer)];
    if (found != kNoValue) return found;
    const ValueId real = add_real(integer);
    patch_.add_node(Dequantize{}, reader + "_dequantize", {integer}, {real});
    return real;
  }

  ValueId add_real(ValueId integer) {
    TensorType type{graph_.type(integer).shape, DType::kF32, std::nullopt};
    const std::string name = graph_.value(integer).name + "_real";
    return real_[static_cast<size_t>(integer)] = patch_.add_value(name, std::move(type));
  }

  Graph& graph_;
  Patch patch_;
  std::vector<ValueId> real_;  // per integer value, where it has one
};

}  // namespace

void insert_borders(Graph& graph) { Borders(graph).run(); }

}  // namespace nibble
