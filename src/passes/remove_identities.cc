// Integer operators that give every value through that can arrive (ranges.h): clamps that the layer
// before implies, table activations that are the identity on what comes, additions of a zero and
// multiplications by a one of the right scale. A max pool or clamp that type alone shows to be idle
// is remove_noops' business.
#include <algorithm>

#include "passes/list.h"
#include "passes/ranges.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// All 256 integers as a tensor of this type's quantization, once for each of `columns`.
Tensor every_value(const TensorType& type, int64_t columns) {
  Tensor every(with_shape(type, {256, columns}));
  auto elems = every.mutable_data<int8_t>();
  for (size_t i = 0; i < elems.size(); ++i)
    elems[i] = static_cast<int8_t>(static_cast<int64_t>(i) / columns - 128);
  return every;
}

// Values of a constant, each once, as one row.
Tensor distinct_row(const Tensor& constant) {
  std::vector<int8_t> elems(constant.data<int8_t>().begin(), constant.data<int8_t>().end());
  std::sort(elems.begin(), elems.end());
  elems.erase(std::unique(elems.begin(), elems.end()), elems.end());
  Tensor row = Tensor::of<int8_t>({1, static_cast<int64_t>(elems.size())}, DType::kS8, elems);
  row.set_quant(constant.type().quant);
  return row;
}

bool is_s8(const TensorType& type) {
  return type.dtype == DType::kS8 && type.quant && type.quant->per_tensor();
}

// Whether the operator, with the operand at `varying` between min and max and all others constant,
// gives that operand; element-wise operators only.
bool is_identity(const View& view, const Node& node, size_t varying, const ElementRange& range) {
  const TensorType type = view.type(node.inputs[varying]);
  Tensor constant;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (i != varying) constant = distinct_row(*view.constant(node.inputs[i]));
  const int64_t columns = node.inputs.size() == 1 ? 1 : constant.size();
  const Tensor every = every_value(type, columns);
  Graph alone;
  alone.rounding = view.graph().rounding;
  alone.values.push_back({"out", with_shape(type, every.shape()), std::nullopt});
  std::vector<const Tensor*> in(node.inputs.size(), &constant);
  in[varying] = &every;
  const Tensor out = run_node(alone, Node{"node", node.op, {}, {0}}, in)[0];
  auto low = range.min.data<int8_t>(), high = range.max.data<int8_t>();
  const int8_t min = *std::min_element(low.begin(), low.end());
  const int8_t max = *std::max_element(high.begin(), high.end());
  for (int64_t i = (min + 128) * columns; i < (max + 129) * columns; ++i)
    if (out.integer_at(i) != every.integer_at(i)) return false;
  return true;
}

// The operand that an element-wise operator might give through, all others being constants.
std::optional<size_t> only_activation(const View& view, const Node& node) {
  const bool binary = std::holds_alternative<Add>(node.op) ||
                      std::holds_alternative<Sub>(node.op) || std::holds_alternative<Mul>(node.op);
  if (!binary && !is_elementwise(view, node)) return std::nullopt;
  std::optional<size_t> found;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue || !is_s8(view.type(node.inputs[i]))) return std::nullopt;
    if (view.constant(node.inputs[i])) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found;
}

}  // namespace

int remove_identities(Graph& graph) {
  View view(graph);
  Patch patch(graph);
  std::vector<std::optional<ElementRange>> ranges;
  int changes = 0;
  for (int i = 0; i < view.node_count(); ++i) {
    const Node& node = view.node(i);
    if (node.outputs.size() != 1) continue;
    const ValueId dst = node.outputs[0];
    const auto varying = only_activation(view, node);
    if (!varying || view.type(node.inputs[*varying]) != view.type(dst)) continue;
    const ValueId src = node.inputs[*varying];
    if (!may_replace(view, dst, src)) continue;
    if (ranges.empty()) ranges = element_ranges(graph);
    const auto& range = ranges[static_cast<size_t>(src)];
    if (!range || !is_identity(view, node, *varying, *range)) continue;
    patch.remove_node(i);
    patch.replace_uses(dst, src);
    ++changes;
    // Outputs may be renamed: one at a time where it matters.
    if (view.is_output(dst)) break;
  }
  if (changes > 0) patch.apply();
  return changes;
}

}  // namespace nibble
