// What fold_qdq and integer_ports know about dequantized operands: where the integers are, and
// which integer type an operand, a bias or a result takes. Inside passes/ only.
#pragma once

#include <optional>
#include <vector>

#include "passes/rewrite.h"

namespace nibble {

// Whether the node computes on integers, as against only converting or moving them.
bool computes_on_integers(const Graph& graph, const Node& node);

// The integer value behind a dequantize that writes this one; kNoValue if there is none.
ValueId dequantized(const View& view, ValueId id);

// The type of the result where an operator that only moves elements (reshape, transpose, slice,
// concat, pad, max pool, nearest resize, a clamp at whole steps) works on integers of type `src`;
// nothing for other operators.
std::optional<TensorType> moved_type(const Op& op, const TensorType& src, const Shape& shape);

// The type that an operator's result always has (softmax: 1/256, -128), if it is one of those.
std::optional<TensorType> fixed_type(const Op& op, const Shape& shape);

// The operands of a float operator as integers: values that are there, and constants still to be
// made.
class IntegerOperands {
 public:
  void add(ValueId id) { items_.push_back({id, std::nullopt, {}}); }
  void add_new(std::string name, Tensor tensor) {
    items_.push_back({kNoValue, std::move(tensor), std::move(name)});
  }
  // Pointers stay valid as long as this and the graph do.
  std::vector<OperandInfo> info(const View& view) const;
  std::vector<ValueId> add_to(Patch& patch) const;

 private:
  struct Item {
    ValueId id = kNoValue;
    std::optional<Tensor> tensor;
    std::string name;
  };
  std::vector<Item> items_;
};

// Nothing if an operand is real and no exact integer form of it is known. A bias becomes s32 with
// scale = scale of the source * scale of the filter.
std::optional<IntegerOperands> integer_operands(const View& view, const Node& node);

}  // namespace nibble
