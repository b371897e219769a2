// The state of an import from ONNX, and what the importers of the single operators build with.
// Inside formats/ only.
//
// ONNX computes on N C H W, the graph's convolutions, pools and resizes on N H W C: each of them is
// wrapped in transposes here; passes/ removes those that cancel. Values of the graph keep ONNX's
// order everywhere else.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "formats/formats.h"
#include "formats/onnx/onnx_tensor.h"
#include "formats/onnx/proto.h"
#include "graph/graph.h"

namespace nibble {

// What a name of the ONNX graph stands for: a constant, which enters the graph only when a node
// needs it there, or a value of the graph.
struct OnnxOperand {
  std::optional<Tensor> constant;
  // The integer constant stands behind a DequantizeLinear: the graph gets the constant and a
  // dequantize node.
  bool dequantize = false;
  ValueId value = kNoValue;
  int onnx_type = 0;  // the element type in the file, where it is known
  std::string name;

  bool plain_constant() const { return constant.has_value() && !dequantize; }
};

class OnnxImporter {
 public:
  OnnxImporter(std::string file, std::filesystem::path folder)
      : file_(std::move(file)), side_files_(std::move(folder)) {}
  Result<Graph> import_model(const onnx::ModelProto& model, ImportProblems* problems);

 private:
  friend class OnnxNode;

  Status check_model(const onnx::ModelProto& model);
  Status read_initializers(const onnx::GraphProto& graph);
  Status read_inputs(const onnx::GraphProto& graph);
  Result<Shape> input_shape(const onnx::ValueInfoProto& input);
  Result<std::vector<const onnx::NodeProto*>> sorted_nodes(const onnx::GraphProto& graph);
  Result<std::vector<const onnx::NodeProto*>> prepare(const onnx::GraphProto& graph);
  static bool is_known(const onnx::NodeProto& proto);
  void add_problem(const onnx::NodeProto& proto, const std::string& why);
  void list_unknown_operators(const onnx::GraphProto& graph);
  void import_node(const onnx::NodeProto& proto);
  Status import_operator(const onnx::NodeProto& proto);
  Status bind_outputs(const onnx::GraphProto& graph);
  Status bind_output(const onnx::ValueInfoProto& output, std::set<ValueId>& bound);
  std::string problem_report() const;
  void fill_problems(const onnx::GraphProto& graph, ImportProblems& problems) const;

  std::string take_name(const std::string& name);
  std::string fresh_name(const std::string& base);
  Result<ValueId> materialize(OnnxOperand& operand, const std::string& fallback_name);

  std::string file_;
  SideFiles side_files_;
  Graph graph_;
  int64_t opset_ = 0;
  int node_count_ = 0;
  int64_t constant_bytes_ = 0;  // of all constants made so far, against kMaxConstantBytes
  std::unordered_map<std::string, OnnxOperand> operands_;
  std::unordered_set<std::string> failed_;  // outputs of nodes that could not be imported
  std::unordered_map<std::string, std::string>
      missing_;  // outputs that an operator does not compute → its node
  std::unordered_set<std::string> used_names_, reserved_names_;
  struct Problem {
    const onnx::NodeProto* proto;
    std::string why;
    bool unknown;  // the operator as such, not this use of it
  };
  std::vector<Problem> problems_;  // one per node that could not be imported
};

// One node while it is imported: its attributes and operands, and the nodes it becomes.
// Attribute readers return the default where the attribute is absent or wrong; what was wrong is
// kept, and the importer asks for it at the end, so that operator code reads without checks.
class OnnxNode {
 public:
  OnnxNode(OnnxImporter& importer, const onnx::NodeProto& proto);

  const onnx::NodeProto& proto() const { return proto_; }
  const std::string& op_type() const { return proto_.op_type(); }
  int64_t opset() const { return importer_.opset_; }
  // The node's name in the file, or one made from its first output.
  const std::string& name() const { return name_; }

  // --- Attributes. Integers are limited to 32 bits but for `wide`.
  bool has_attribute(const std::string& name) { return find(name) != nullptr; }
  int64_t integer(const std::string& name, int64_t fallback);
  float real(const std::string& name, float fallback);
  std::string text(const std::string& name, const std::string& fallback);
  std::vector<int64_t> integers(const std::string& name, std::vector<int64_t> fallback = {});
  std::vector<int64_t> wide_integers(const std::string& name);
  std::vector<float> reals(const std::string& name);
  Result<Tensor> tensor(const std::string& name);
  // The attribute has no influence on the result.
  void ignore(const std::string& name) { find(name); }
  // The first attribute that was wrong or that nothing has asked for.
  Status attribute_error() const;

  // --- Operands.
  size_t input_count() const { return inputs_.size(); }
  bool has_input(size_t index) const { return index < inputs_.size() && inputs_[index] != nullptr; }
  OnnxOperand& input(size_t index);
  // The operand as a value of the graph; kNoValue if it is absent.
  Result<ValueId> value(size_t index);
  // Same, and it must be f32: the operator computes.
  Result<ValueId> real_value(size_t index);
  const Shape& shape(size_t index);
  const TensorType& type(size_t index);
  bool all_constant() const;
  // A constant operand's elements; errors name what it is for ("the shape").
  Result<std::vector<int64_t>> constant_integers(size_t index, const std::string& what);
  Result<std::vector<float>> constant_reals(size_t index, const std::string& what);
  // The operand as an f32 constant, if it is one (a dequantized constant too).
  std::optional<Tensor> real_constant(size_t index);

  // --- Building. Steps on constants are done at once, others become nodes; `suffix` names an extra
  // node.
  Result<ValueId> add(Op op, std::vector<ValueId> inputs, const std::string& suffix = "",
                      std::optional<QuantParams> quant = std::nullopt,
                      std::optional<DType> dtype = std::nullopt);
  Result<ValueId> add_constant(Tensor tensor, const std::string& name);
  // A weight with the quantization it had: an integer constant gets its dequantize node.
  Result<ValueId> add_weight(const OnnxOperand& weight);
  Result<OnnxOperand> transpose(const OnnxOperand& src, const std::vector<int64_t>& perm,
                                const std::string& suffix = "");
  Result<OnnxOperand> reshape(const OnnxOperand& src, const Shape& shape,
                              const std::string& suffix = "");
  Result<OnnxOperand> slice(const OnnxOperand& src, const Slice& slice,
                            const std::string& suffix = "");
  Result<ValueId> transpose_value(ValueId src, const std::vector<int64_t>& perm,
                                  const std::string& suffix);
  Result<ValueId> reshape_value(ValueId src, const Shape& shape, const std::string& suffix);
  // N C H W (or N C L) to N H W C (N 1 L C) and back; rank is ONNX's, 3 or 4.
  Result<ValueId> to_channels_last(ValueId src);
  Result<ValueId> from_channels_last(ValueId src, size_t rank);
  const TensorType& type_of(ValueId value) const { return importer_.graph_.type(value); }
  const Shape& shape_of(const OnnxOperand& operand) const;
  OnnxOperand operand_of(ValueId value, int onnx_type = 0) const;
  Result<ValueId> value_of(const OnnxOperand& operand);
  // States how an integer value that came without parameters is to be read. Error: it has others
  // already.
  Status set_quant(ValueId value, const QuantParams& quant);
  // Takes the bytes of a constant to be made from the budget of the file.
  Status reserve(const Shape& shape, DType dtype);

  // --- Results.
  void set_output(size_t index, OnnxOperand operand);
  void set_output(size_t index, ValueId value);
  size_t output_count() const { return static_cast<size_t>(proto_.output_size()); }

 private:
  friend class OnnxImporter;
  const onnx::AttributeProto* find(const std::string& name);
  const onnx::AttributeProto* find(const std::string& name, int type, const char* kind);
  int64_t limited(const std::string& name, int64_t value);

  OnnxImporter& importer_;
  const onnx::NodeProto& proto_;
  std::string name_;
  std::vector<OnnxOperand*> inputs_;
  std::vector<std::optional<OnnxOperand>> outputs_;
  std::set<std::string> asked_;
  std::optional<Error> attribute_error_;
};

// One row per ONNX operator; operators.cc has the table.
using ImportFunction = Status (*)(OnnxNode&);
struct OnnxOperator {
  const char* name;
  const char* domain;  // "" is ONNX's own
  ImportFunction import;
  size_t min_inputs, max_inputs;
};
const OnnxOperator* find_onnx_operator(const std::string& name, const std::string& domain);
// "Add, AveragePool, ..."
std::string supported_onnx_operators();
// Why an operator that is not in the table is not; empty where there is no more to say.
std::string why_unsupported(const std::string& name);

// --- Steps on constants (constants.cc); element types of any kind.
Tensor slice_constant(const Tensor& src, const Slice& slice);
Tensor concat_constants(const std::vector<Tensor>& parts, size_t axis);
// NumPy's broadcast of two shapes.
Result<Shape> broadcast_shapes(const Shape& a, const Shape& b);
Tensor broadcast_constant(const Tensor& src, const Shape& shape);
// Any element as a double; integers beyond 2^53 lose digits.
double element_real(const Tensor& tensor, int64_t index);
// A negative axis counts from the end. Error: outside [-rank, rank).
Result<size_t> checked_axis(int64_t axis, size_t rank);

}  // namespace nibble
