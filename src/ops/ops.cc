// Dispatch from a node to the definition of its operator (OpDef<T>), verification of a whole graph,
// and building by appending. Stands between the graph, which knows only structure, and the operator
// files, which know only themselves.
#include "ops/ops.h"

#include <algorithm>
#include <type_traits>

#include "ops/run_context.h"

namespace nibble {
namespace {

// Calls visit(op) with the operator's own struct; a node without operator is our bug.
template <class Visitor>
auto dispatch(const Op& op, Visitor&& visit) {
  using R = std::invoke_result_t<Visitor, const Conv2d&>;
  return std::visit(
      [&](const auto& concrete) -> R {
        if constexpr (std::is_same_v<std::decay_t<decltype(concrete)>, std::monostate>) {
          NIBBLE_UNREACHABLE("node without operator");
        } else {
          return visit(concrete);
        }
      },
      op);
}

template <class T>
using DefOf = OpDef<std::decay_t<T>>;

// "conv2d 'stem/conv': ..." so that every message names the node.
Error at_node(const Node& node, Error error) {
  error.message = fmt::format("{} '{}': {}", op_name(node.op), node.name, error.message);
  return error;
}

bool same_number_class(DType a, DType b) { return (a == DType::kF32) == (b == DType::kF32); }

Status verify_node_types(const Graph& graph, const Node& node, Operands in) {
  NIBBLE_ASSIGN(auto inferred, infer_types(node.op, in));
  if (inferred.size() != node.outputs.size())
    return input_error(fmt::format("has {} outputs in the graph, the operator has {}",
                                   node.outputs.size(), inferred.size()));
  for (size_t i = 0; i < inferred.size(); ++i) {
    const TensorType& stated = graph.type(node.outputs[i]);
    if (stated.shape != inferred[i].shape)
      return input_error(fmt::format("output is stated as {}, but its operands give {}",
                                     format_shape(stated.shape), format_shape(inferred[i].shape)));
    if (!same_number_class(stated.dtype, inferred[i].dtype))
      return input_error(fmt::format("output is stated as {}, but its operands give {}",
                                     dtype_name(stated.dtype), dtype_name(inferred[i].dtype)));
  }
  return {};
}

bool is_border(const Node& node) {
  return std::holds_alternative<Quantize>(node.op) || std::holds_alternative<Dequantize>(node.op);
}

Status verify_node(const Graph& graph, const Node& node) {
  auto in = operand_info(graph, node);
  if (auto status = verify_node_types(graph, node, in); !status.ok())
    return at_node(node, status.error());
  if (!is_integer_node(graph, node) && !is_border(node)) return {};
  const TensorType& out = graph.type(node.outputs[0]);
  auto status = dispatch(node.op, [&](const auto& op) {
    return DefOf<decltype(op)>::verify_integer(op, graph.rounding, in, out);
  });
  if (!status.ok()) return at_node(node, status.error());
  return {};
}

template <class Items>
std::string unused_name(const Items& items, const std::string& wanted) {
  auto taken = [&](const std::string& name) {
    return std::any_of(items.begin(), items.end(),
                       [&](const auto& item) { return item.name == name; });
  };
  std::string base = wanted.empty() ? "unnamed" : wanted;
  if (!taken(base)) return base;
  for (int64_t i = 2;; ++i) {
    std::string name = fmt::format("{}_{}", base, i);
    if (!taken(name)) return name;
  }
}

ValueId append_value(Graph& graph, const std::string& name, TensorType type) {
  graph.values.push_back({unused_name(graph.values, name), std::move(type), std::nullopt});
  return static_cast<ValueId>(graph.values.size() - 1);
}

}  // namespace

std::vector<OperandInfo> operand_info(const Graph& graph, const Node& node) {
  std::vector<OperandInfo> operands;
  operands.reserve(node.inputs.size());
  for (ValueId id : node.inputs) {
    if (id == kNoValue) {
      operands.push_back({});
      continue;
    }
    const Value& value = graph.value(id);
    operands.push_back({&value.type, value.constant ? &*value.constant : nullptr});
  }
  return operands;
}

Result<std::vector<TensorType>> infer_types(const Op& op, Operands in) {
  return dispatch(
      op, [&](const auto& concrete) { return DefOf<decltype(concrete)>::infer(concrete, in); });
}

QuantRule quant_rule(const Op& op) {
  return dispatch(
      op, [](const auto& concrete) { return DefOf<decltype(concrete)>::quant_rule(concrete); });
}

int64_t node_macs(const Graph& graph, const Node& node) {
  auto in = operand_info(graph, node);
  const TensorType& out = graph.type(node.outputs[0]);
  return dispatch(node.op, [&](const auto& op) { return DefOf<decltype(op)>::macs(op, in, out); });
}

bool is_integer_node(const Graph& graph, const Node& node) {
  auto integer = [&](ValueId id) {
    const TensorType& type = graph.type(id);
    return is_integer(type.dtype) && type.quant.has_value();
  };
  for (ValueId id : node.inputs)
    if (id != kNoValue && !graph.is_constant(id) && !integer(id)) return false;
  return !node.outputs.empty() && std::all_of(node.outputs.begin(), node.outputs.end(), integer);
}

// Kernels multiply by the elements of a filter as they are.
static Status check_kernel_weights(const Op& op, Operands in) {
  const int weight = quant_rule(op).weight;
  if (weight < 0 || !in[static_cast<size_t>(weight)].type->quant) return {};
  const TensorType& filter = *in[static_cast<size_t>(weight)].type;
  const QuantParams& quant = *filter.quant;
  const bool has_zero_points =
      std::ranges::any_of(quant.zero_point, [](int32_t zero) { return zero != 0; });
  if (filter.dtype == DType::kS8 && quant.group == 0 && !has_zero_points) return {};
  return input_error(fmt::format(
      "its weights have {}, and no kernel for targets computes with them; the host does (nibble "
      "evaluate). Quantize it symmetrically, per channel or tensor, to at most 8 bits",
      has_zero_points    ? "zero points"
      : quant.group != 0 ? "groups"
                         : fmt::format("{} bits", quant.bits)));
}

Result<std::vector<KernelRequest>> lower_node(const Graph& graph, const Node& node) {
  auto in = operand_info(graph, node);
  if (Status known = check_kernel_weights(node.op, in); !known.ok())
    return at_node(node, known.error());
  const TensorType& out = graph.type(node.outputs[0]);
  auto lowered = dispatch(node.op, [&](const auto& op) {
    return DefOf<decltype(op)>::lower(op, graph.rounding, in, out);
  });
  if (!lowered.ok()) return at_node(node, lowered.error());
  for (KernelRequest& request : *lowered) {
    if (request.src.empty()) request.src = {0};
    for (ValueId& src : request.src) {
      NIBBLE_CHECK(src >= 0 && static_cast<size_t>(src) < node.inputs.size(), "operand {} of {}",
                   src, node.name);
      src = node.inputs[static_cast<size_t>(src)];
    }
    request.dst = node.outputs[0];
  }
  return lowered;
}

bool kernels_take(const Graph& graph, const Node& node) {
  return (is_integer_node(graph, node) || is_border(node)) && lower_node(graph, node).ok();
}

bool integer_ok(const Op& op, Rounding rounding, Operands in, const TensorType& out) {
  auto inferred = infer_types(op, in);
  if (!inferred.ok() || inferred->size() != 1 || inferred->front().shape != out.shape) return false;
  return std::visit(
      [&](const auto& typed) {
        using T = std::decay_t<decltype(typed)>;
        if constexpr (std::is_same_v<T, std::monostate>)
          return false;
        else
          return OpDef<T>::verify_integer(typed, rounding, in, out).ok();
      },
      op);
}

Status verify_graph(const Graph& graph, VerifyLevel level) {
  NIBBLE_TRY(verify_structure(graph, level));
  for (const Node& node : graph.nodes) NIBBLE_TRY(verify_node(graph, node));
  return {};
}

Result<ValueId> append_node(Graph& graph, Op op, const std::string& name,
                            std::vector<ValueId> inputs, std::optional<QuantParams> quant,
                            std::optional<DType> dtype) {
  Node node{unused_name(graph.nodes, name), std::move(op), std::move(inputs), {}};
  auto inferred = infer_types(node.op, operand_info(graph, node));
  if (!inferred.ok()) return at_node(node, inferred.error());
  NIBBLE_CHECK(!inferred->empty(), "{} has no output", node.name);
  auto& first = inferred->front();
  if (dtype) first.dtype = *dtype;
  if (quant) first.quant = std::move(quant);
  for (TensorType& type : *inferred)
    node.outputs.push_back(append_value(graph, node.name, std::move(type)));
  graph.nodes.push_back(std::move(node));
  return graph.nodes.back().outputs[0];
}

ValueId append_constant(Graph& graph, const std::string& name, Tensor tensor) {
  ValueId id = append_value(graph, name, tensor.type());
  graph.value(id).constant = std::move(tensor);
  return id;
}

ValueId append_input(Graph& graph, const std::string& name, TensorType type) {
  ValueId id = append_value(graph, name, std::move(type));
  graph.inputs.push_back({id, {}});
  return id;
}

void run_operator(const Op& op, Rounding rounding, Inputs in, Tensor& out) {
  bool real = out.dtype() == DType::kF32;
  for (const Tensor* tensor : in) real = real || (tensor && tensor->dtype() == DType::kF32);
  dispatch(op, [&](const auto& concrete) {
    if (real)
      DefOf<decltype(concrete)>::run_float(concrete, in, out);
    else
      DefOf<decltype(concrete)>::run_integer(concrete, rounding, in, out);
  });
}

}  // namespace nibble
