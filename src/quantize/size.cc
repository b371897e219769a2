#include "quantize/size.h"

#include <set>

namespace nibble {

int64_t tensor_bytes(const TensorType& type) {
  const int64_t elems = elem_count(type.shape);
  if (!type.quant || type.dtype == DType::kS32 || type.dtype == DType::kS64)
    return elems * dtype_bytes(type.dtype);
  const QuantParams& quant = *type.quant;
  int64_t bytes = (elems * quant.bits + 7) / 8;
  if (!quant.codebook.empty()) bytes += static_cast<int64_t>(quant.codebook.size());
  bytes += (static_cast<int64_t>(quant.group_factor.size()) + 1) / 2;
  if (quant.scale.size() > 1) bytes += 4 * static_cast<int64_t>(quant.scale.size());
  return bytes;
}

int64_t constant_bytes(const Graph& graph) {
  std::set<ValueId> read;
  for (const Node& node : graph.nodes)
    for (ValueId id : node.inputs)
      if (graph.is_constant(id)) read.insert(id);
  int64_t bytes = 0;
  for (ValueId id : read) bytes += tensor_bytes(graph.type(id));
  return bytes;
}

}  // namespace nibble
