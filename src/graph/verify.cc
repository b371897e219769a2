// verify_structure: what every graph promises whatever its operators mean. Runs after every reader
// and, in tests and development builds, after every pass.
#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "graph/ir.h"

namespace nibble {
namespace {

Error fault(std::string message) { return input_error(std::move(message)); }

// What only constants have: groups and codebooks.
Status verify_constant_quant(const Value& value, const std::string& where) {
  const QuantParams& quant = *value.type.quant;
  if (quant.codebook.empty() && quant.group == 0 && quant.group_factor.empty()) return {};
  if (!value.constant)
    return fault(where + "has a codebook or groups, but is no constant; only constants have them");
  if (!std::ranges::is_sorted(quant.codebook, std::ranges::less_equal{}) ||
      (!quant.codebook.empty() &&
       (quant.codebook.front() < quant.q_min || quant.codebook.back() > quant.q_max)))
    return fault(where + "has a codebook that is not strictly ascending inside [" +
                 std::to_string(quant.q_min) + ", " + std::to_string(quant.q_max) + "]");
  const QuantIndex index(value.type.shape, quant);
  const auto runs = static_cast<size_t>(index.channels() * index.channel_runs());
  if (quant.group < 0 || quant.group_factor.size() != runs)
    return fault(where + "has " + std::to_string(quant.group_factor.size()) +
                 " group factors, needs " + std::to_string(runs) + " for groups of " +
                 std::to_string(quant.group));
  for (int32_t factor : quant.group_factor)
    if (factor < 1 || factor > kMaxGroupFactor)
      return fault(where + "has the group factor " + std::to_string(factor) + "; they lie in [1, " +
                   std::to_string(kMaxGroupFactor) + "]");
  return {};
}

Status verify_quant(const Value& value) {
  const QuantParams& quant = *value.type.quant;
  const std::string where = "value '" + value.name + "': ";
  if (!is_integer(value.type.dtype))
    return fault(where + "has quantization parameters, but its elements are " +
                 std::string(dtype_name(value.type.dtype)) + "; only integers are quantized");
  const auto rank = static_cast<int>(value.type.shape.size());
  if (quant.axis < -1 || quant.axis >= rank)
    return fault(where + "is quantized along axis " + std::to_string(quant.axis) +
                 ", but has only " + std::to_string(rank) + " axes");
  const auto wanted = quant.axis < 0
                          ? size_t{1}
                          : static_cast<size_t>(value.type.shape[static_cast<size_t>(quant.axis)]);
  if (quant.scale.size() != wanted || quant.zero_point.size() != wanted)
    return fault(where + "needs " + std::to_string(wanted) + " scales and zero points, has " +
                 std::to_string(quant.scale.size()) + " and " +
                 std::to_string(quant.zero_point.size()));
  for (float scale : quant.scale)
    if (!std::isfinite(scale) || scale <= 0)
      return fault(where + "has the scale " + std::to_string(scale) +
                   "; scales are finite and positive");
  if (quant.bits < 1 || quant.bits > dtype_bits(value.type.dtype))
    return fault(where + "is quantized to " + std::to_string(quant.bits) + " bits in elements of " +
                 std::to_string(dtype_bits(value.type.dtype)));
  if (quant.q_min >= quant.q_max || quant.q_min < dtype_min(value.type.dtype) ||
      quant.q_max > dtype_max(value.type.dtype))
    return fault(where + "has the integer range [" + std::to_string(quant.q_min) + ", " +
                 std::to_string(quant.q_max) + "], which " +
                 std::string(dtype_name(value.type.dtype)) + " does not hold");
  for (int32_t zero_point : quant.zero_point)
    if (zero_point < quant.q_min || zero_point > quant.q_max)
      return fault(where + "has the zero point " + std::to_string(zero_point) +
                   " outside its range [" + std::to_string(quant.q_min) + ", " +
                   std::to_string(quant.q_max) + "]");
  return verify_constant_quant(value, where);
}

// Whether every element is one that the parameters admit. Biases of 32 bits and more are not looked
// at: they have no other range than their type's.
Status verify_elements(const Value& value) {
  const QuantParams& quant = *value.type.quant;
  if (dtype_bits(value.type.dtype) > 16) return {};
  for (int64_t i = 0; i < value.constant->size(); ++i) {
    const int64_t q = value.constant->integer_at(i);
    const bool known = quant.codebook.empty() || std::ranges::binary_search(quant.codebook, q);
    if (q < quant.q_min || q > quant.q_max || !known)
      return fault("value '" + value.name + "': element " + std::to_string(i) + " is " +
                   std::to_string(q) + ", which its quantization parameters exclude");
  }
  return {};
}

Status verify_value(const Value& value) {
  const std::string where = "value '" + value.name + "': ";
  if (!checked_elem_count(value.type.shape))
    return fault(where + "has an extent below zero, more than " + std::to_string(kMaxRank) +
                 " axes or more than " + std::to_string(kMaxElems) + " elements");
  for (int64_t extent : value.type.shape)
    if (extent == 0) return fault(where + "is empty (" + format_shape(value.type.shape) + ")");
  if (value.type.quant) NIBBLE_TRY(verify_quant(value));
  if (!value.constant) return {};
  if (value.constant->type() != value.type)
    return fault(where + "its constant has another type than the value");
  auto bytes = static_cast<size_t>(elem_count(value.type.shape) * dtype_bytes(value.type.dtype));
  if (value.constant->bytes().size() != bytes)
    return fault(where + "its constant has " + std::to_string(value.constant->bytes().size()) +
                 " bytes instead of " + std::to_string(bytes));
  if (value.type.quant) NIBBLE_TRY(verify_elements(value));
  return {};
}

// A node that the user wants in float, or a border operator.
template <class Border>
bool is_real_node(const Graph& graph, int index) {
  const Node& node = graph.nodes[static_cast<size_t>(index)];
  return node.keep_float || std::holds_alternative<Border>(node.op);
}

// The rules of one level, checked over one graph.
class Verifier {
 public:
  Verifier(const Graph& graph, VerifyLevel level)
      : graph_(graph), level_(level), defined_(graph.values.size(), false) {}

  Status verify() {
    NIBBLE_TRY(verify_names());
    for (const Value& value : graph_.values) NIBBLE_TRY(verify_value(value));
    for (size_t i = 0; i < graph_.values.size(); ++i)
      defined_[i] = graph_.values[i].constant.has_value();
    NIBBLE_TRY(verify_inputs());
    for (const Node& node : graph_.nodes) NIBBLE_TRY(verify_node(node));
    NIBBLE_TRY(verify_outputs());
    if (level_ >= VerifyLevel::kSimplified) NIBBLE_TRY(verify_simplified());
    if (level_ >= VerifyLevel::kQuantized) NIBBLE_TRY(verify_quantized());
    return {};
  }

 private:
  bool in_range(ValueId id) const {
    return id >= 0 && static_cast<size_t>(id) < graph_.values.size();
  }

  Status verify_names() const {
    std::unordered_set<std::string_view> names;
    for (const Value& value : graph_.values) {
      if (value.name.empty()) return fault("a value of the graph has no name");
      if (!names.insert(value.name).second)
        return fault("two values have the name '" + value.name + "'");
    }
    names.clear();
    for (const Node& node : graph_.nodes) {
      if (node.name.empty()) return fault("a node of the graph has no name");
      if (!names.insert(node.name).second)
        return fault("two nodes have the name '" + node.name + "'");
    }
    return {};
  }

  Status verify_perm(const Port& port) const {
    if (port.source_perm.empty()) return {};
    const Value& value = graph_.value(port.value);
    std::vector<int64_t> sorted = port.source_perm;
    std::sort(sorted.begin(), sorted.end());
    bool good = sorted.size() == value.type.shape.size();
    for (size_t i = 0; i < sorted.size(); ++i) good = good && sorted[i] == static_cast<int64_t>(i);
    if (!good)
      return fault("value '" + value.name +
                   "': the layout of its file (source_perm) is not a "
                   "permutation of its " +
                   std::to_string(value.type.shape.size()) + " axes");
    return {};
  }

  Status verify_inputs() {
    for (const Port& port : graph_.inputs) {
      if (!in_range(port.value)) return fault("a graph input refers to no value");
      const Value& value = graph_.value(port.value);
      if (value.constant) return fault("graph input '" + value.name + "' is a constant");
      if (defined_[static_cast<size_t>(port.value)])
        return fault("graph input '" + value.name + "' is listed twice");
      defined_[static_cast<size_t>(port.value)] = true;
      NIBBLE_TRY(verify_perm(port));
    }
    return {};
  }

  Status verify_node(const Node& node) {
    const std::string where = "node '" + node.name + "': ";
    if (node.op.index() == 0) return fault(where + "has no operator");
    if (node.outputs.empty()) return fault(where + "has no output");
    for (ValueId id : node.inputs) {
      if (id == kNoValue) continue;
      if (!in_range(id)) return fault(where + "reads a value that is not there");
      if (!defined_[static_cast<size_t>(id)])
        return fault(where + "reads '" + graph_.value(id).name +
                     "', which is neither an input nor a constant nor written by a node before it");
    }
    for (ValueId id : node.outputs) {
      if (!in_range(id)) return fault(where + "writes a value that is not there");
      if (defined_[static_cast<size_t>(id)])
        return fault(where + "writes '" + graph_.value(id).name +
                     "', which is already an input, a constant or written by another node");
      defined_[static_cast<size_t>(id)] = true;
    }
    return {};
  }

  Status verify_outputs() const {
    if (graph_.outputs.empty()) return fault("the graph has no output");
    for (const Port& port : graph_.outputs) {
      if (!in_range(port.value)) return fault("a graph output refers to no value");
      if (!defined_[static_cast<size_t>(port.value)])
        return fault("graph output '" + graph_.value(port.value).name + "' is written by no node");
      NIBBLE_TRY(verify_perm(port));
    }
    return {};
  }

  Status verify_simplified() const {
    std::vector<bool> live(graph_.values.size(), false);
    for (const Port& port : graph_.outputs) live[static_cast<size_t>(port.value)] = true;
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      if (std::holds_alternative<BatchNorm>(node->op))
        return fault("node '" + node->name +
                     "': a batch norm is left; the pass lower_batch_norm removes it");
      bool used = false;
      for (ValueId id : node->outputs) used = used || live[static_cast<size_t>(id)];
      if (!used)
        return fault("node '" + node->name +
                     "': its result is never read; the pass remove_dead removes it");
      for (ValueId id : node->inputs)
        if (id != kNoValue) live[static_cast<size_t>(id)] = true;
    }
    return {};
  }

  Status verify_quantized() const {
    auto writers = producers(graph_);
    auto readers = consumers(graph_);
    auto is_input = [&](ValueId id) {
      for (const Port& port : graph_.inputs)
        if (port.value == id) return true;
      return false;
    };
    for (size_t i = 0; i < graph_.values.size(); ++i) {
      const Value& value = graph_.values[i];
      auto id = static_cast<ValueId>(i);
      bool used = writers[i] >= 0 || is_input(id);
      if (!used || value.constant) continue;
      if (is_integer(value.type.dtype) && value.type.quant) continue;
      // The border: a real input that is only quantized, a real output that was only dequantized,
      // and the values of nodes that the user wants in float.
      bool from_border =
          writers[i] >= 0 ? is_real_node<Dequantize>(graph_, writers[i]) : is_input(id);
      bool to_border = std::all_of(readers[i].begin(), readers[i].end(), [&](int reader) {
        return reader < 0 || is_real_node<Quantize>(graph_, reader);
      });
      if (!from_border || !to_border || value.type.dtype != DType::kF32)
        return fault("value '" + value.name + "' is " + std::string(dtype_name(value.type.dtype)) +
                     " without quantization parameters in a quantized graph; quantize the model "
                     "first (nibble quantize)");
    }
    return {};
  }

  const Graph& graph_;
  VerifyLevel level_;
  std::vector<bool> defined_;
};

}  // namespace

Status verify_structure(const Graph& graph, VerifyLevel level) {
  return Verifier(graph, level).verify();
}

}  // namespace nibble
