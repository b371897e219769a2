// The first IR: a list of nodes in topological order over a table of values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "graph/operators.h"
#include "graph/tensor.h"

namespace nibble {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;

// How an integer accumulator becomes an integer output; doc/quantization.md is normative.
enum class Rounding { kTflite, kSingle };

struct Value {
  std::string name;  // unique in the graph, never empty
  TensorType type;
  std::optional<Tensor> constant;  // set for constants; its type equals `type`
};

struct Node {
  std::string name;  // unique in the graph, never empty; the name the model file gave, where it did
  Op op;
  std::vector<ValueId> inputs;  // kNoValue for an absent optional operand
  std::vector<ValueId> outputs;
  // The user wants this node computed in float though the graph around it is quantized.
  bool keep_float = false;
};

// The model file called this input or output something else than what the graph has now: a layout
// pass moved a transpose out of the graph. Data in the file's own layout is permuted on the way in
// and out: extent i of the graph's tensor is extent perm[i] of the file's.
struct Port {
  ValueId value = kNoValue;
  std::vector<int64_t> source_perm = {};  // empty: same layout as the file
  // The file's values are u8, this graph's s8: q here is q - 128 there.
  bool source_u8 = false;
};

struct Graph {
  std::string name;
  Rounding rounding = Rounding::kTflite;
  std::vector<Value> values;  // index = ValueId; may hold values that nothing uses
  std::vector<Node> nodes;    // topological order
  std::vector<Port> inputs;
  std::vector<Port> outputs;

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  const TensorType& type(ValueId id) const { return value(id).type; }
  bool is_constant(ValueId id) const { return id != kNoValue && value(id).constant.has_value(); }
};

// Index of the node that writes each value, -1 for inputs and constants.
std::vector<int> producers(const Graph& graph);
// Indices of the nodes that read each value, once per operand; -1 marks a graph output.
std::vector<std::vector<int>> consumers(const Graph& graph);

enum class VerifyLevel { kImported, kSimplified, kQuantized };

// Structure only: names unique, ids in range, topological order, one writer per value, constants of
// the size of their type, quantization parameters sane (finite positive scales, zero points in
// range, lengths). kSimplified: static NHWC, no batch norm, nothing dead. kQuantized: every
// non-constant value an integer with QuantParams, but for the operands of quantize and dequantize
// at the border and those of keep_float nodes. What each operator demands on top is ops'
// verify_graph.
Status verify_structure(const Graph& graph, VerifyLevel level);

// Removes values that no node, input or output mentions, and renumbers the rest.
void drop_unused_values(Graph& graph);

}  // namespace nibble
