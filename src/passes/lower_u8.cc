// u8 values become s8:  q' = q - 128, zero_point' = zero_point - 128, and the real value scale * (q
// - zero_point) is the same. Inputs and outputs of the graph as well: the kernels know only s8.
#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

constexpr int32_t kShift = 128;

TensorType shifted(TensorType type) {
  type.dtype = DType::kS8;
  for (int32_t& zero_point : type.quant->zero_point) zero_point -= kShift;
  type.quant->q_min -= kShift;
  type.quant->q_max -= kShift;
  return type;
}

// The data reader and whoever calls the generated C must know that the file had u8 there.
void mark_ports(const Graph& graph, Patch& patch) {
  auto marked = [&](Port port) {
    const TensorType& type = graph.type(port.value);
    port.source_u8 = port.source_u8 || (type.dtype == DType::kU8 && type.quant);
    return port;
  };
  for (size_t i = 0; i < graph.inputs.size(); ++i) patch.set_input(i, marked(graph.inputs[i]));
  for (size_t i = 0; i < graph.outputs.size(); ++i) patch.set_output(i, marked(graph.outputs[i]));
}

}  // namespace

int lower_u8(Graph& graph) {
  Patch patch(graph);
  int changes = 0;
  const size_t count = graph.values.size();
  mark_ports(graph, patch);
  for (size_t i = 0; i < count; ++i) {
    const TensorType type = graph.values[i].type;
    if (type.dtype != DType::kU8 || !type.quant) continue;
    ++changes;
    auto id = static_cast<ValueId>(i);
    if (!graph.is_constant(id)) {
      patch.set_type(id, shifted(type));
      continue;
    }
    const Tensor old = *graph.values[i].constant;
    Tensor tensor(shifted(type));
    auto src = old.bytes();
    auto dst = tensor.mutable_data<int8_t>();
    for (size_t k = 0; k < dst.size(); ++k) dst[k] = static_cast<int8_t>(src[k] - kShift);
    patch.replace_uses(id, patch.add_constant(std::string(graph.values[i].name), tensor));
  }
  if (changes > 0) patch.apply();
  return changes;
}

}  // namespace nibble
