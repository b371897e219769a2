// Node by node: why it is free of float, what its sums can reach, how far its rounding can go.
// Factors are read off what lower_node hands to the kernels, so that the proof speaks of what runs.
#include "quantize/certify.h"

#include <algorithm>

#include "base/text.h"
#include "quantize/certify_nodes.h"

namespace nibble {
namespace {

std::string quoted(const Node& node) {
  return fmt::format("'{}' ({})", node.name, op_name(node.op));
}

bool is_real(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.type(id).dtype == DType::kF32;
}

bool has_port(const std::vector<Port>& ports, ValueId id) {
  return std::ranges::any_of(ports, [&](const Port& port) { return port.value == id; });
}

// Why a node that reads or writes float does.
class FloatReasons {
 public:
  explicit FloatReasons(const Graph& graph)
      : graph_(graph), producers_(producers(graph)), consumers_(consumers(graph)) {}

  // Empty: it does not.
  std::string why(const Node& node) const {
    auto real = [&](ValueId id) { return is_real(graph_, id); };
    if (std::ranges::none_of(node.inputs, real) && std::ranges::none_of(node.outputs, real))
      return "";
    if (node.keep_float) return "kept in float by its name (--keep-float)";
    if (std::holds_alternative<Quantize>(node.op)) return quantize_reason(node.inputs[0]);
    if (std::holds_alternative<Dequantize>(node.op)) return dequantize_reason(node.outputs[0]);
    if (quant_rule(node.op).output == QuantRule::Output::kFloat)
      return "computes in float: this operator has no integer form";
    return "computes in float: its operands are float32 in the model";
  }

 private:
  std::string quantize_reason(ValueId real) const {
    const std::string& name = graph_.value(real).name;
    if (has_port(graph_.inputs, real))
      return fmt::format("turns the model's input '{}', which is float32, into integers", name);
    const int writer = producers_[static_cast<size_t>(real)];
    if (writer < 0) return fmt::format("quantizes the float constant '{}' at run time", name);
    return fmt::format("turns what {} computes in float into integers",
                       quoted(graph_.nodes[static_cast<size_t>(writer)]));
  }
  std::string dequantize_reason(ValueId real) const {
    const std::string& name = graph_.value(real).name;
    for (int reader : consumers_[static_cast<size_t>(real)])
      if (reader >= 0)
        return fmt::format("turns integers into the floats that {} reads",
                           quoted(graph_.nodes[static_cast<size_t>(reader)]));
    return fmt::format("turns integers into the model's output '{}', which is float32", name);
  }

  const Graph& graph_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
};

std::string accumulator_reason(const AccumulatorBound& bound) {
  return fmt::format("sums up to {}, which needs {} bits of {}",
                     with_thousands(std::max(bound.partial_max, -bound.partial_min)), bound.bits,
                     bound.width);
}

// What is in the way of certifying the node; empty: nothing.
std::string reason_of(const NodeCertificate& node) {
  if (!node.integer) return node.why_float;
  if (node.accumulator && node.accumulator->headroom_bits() < 0)
    return accumulator_reason(*node.accumulator);
  if (!node.rescaling) return "no bound of its rounding: " + node.why_unbounded;
  return "";
}

}  // namespace

bool Certificate::certified() const { return reasons().empty(); }

std::vector<std::string> Certificate::reasons() const {
  std::vector<std::string> texts;
  for (const NodeCertificate& node : nodes)
    if (const std::string why = reason_of(node); !why.empty())
      texts.push_back(fmt::format("'{}' ({}): {}", node.node, node.op, why));
  return texts;
}

Certificate certify(const Graph& graph) {
  Certificate certificate;
  certificate.rounding = graph.rounding == Rounding::kTflite ? "tflite" : "single";
  const FloatReasons reasons(graph);
  NodeBounds bounds(graph);
  for (const Node& node : graph.nodes) {
    NodeCertificate entry;
    entry.node = node.name;
    entry.op = op_name(node.op);
    entry.why_float = reasons.why(node);
    entry.integer = entry.why_float.empty();
    if (entry.integer) bounds.add(node, entry);
    certificate.nodes.push_back(std::move(entry));
  }
  return certificate;
}

}  // namespace nibble
