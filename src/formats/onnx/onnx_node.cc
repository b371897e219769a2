// One ONNX node while it is imported: attributes, operands, and building in the graph.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "formats/onnx/operator_list.h"
#include "ops/ops.h"

namespace nibble {
namespace {

using onnx::AttributeProto;

constexpr int64_t kIntegerLimit = std::numeric_limits<int32_t>::max();

}  // namespace

Result<ValueId> OnnxImporter::materialize(OnnxOperand& operand, const std::string& fallback_name) {
  if (operand.value != kNoValue) return operand.value;
  NIBBLE_CHECK(operand.constant.has_value(), "operand '{}' is neither constant nor value",
               operand.name);
  std::string name = operand.name.empty() ? fallback_name : operand.name;
  bool integer_without_meaning =
      operand.constant->dtype() != DType::kF32 && !operand.constant->type().quant;
  if (integer_without_meaning)
    return input_error(
        fmt::format("computes on the {} constant '{}', which has no quantization parameters",
                    dtype_name(operand.constant->dtype()), name));
  ValueId constant = append_constant(graph_, take_name(operand.dequantize ? name + "/int" : name),
                                     *operand.constant);
  if (!operand.dequantize) {
    operand.value = constant;
    return constant;
  }
  std::string unique = take_name(name);
  NIBBLE_ASSIGN(operand.value, append_node(graph_, Dequantize{}, unique, {constant}));
  graph_.value(operand.value).name = unique;
  return operand.value;
}

OnnxNode::OnnxNode(OnnxImporter& importer, const onnx::NodeProto& proto)
    : importer_(importer), proto_(proto), name_(proto.name()) {
  if (name_.empty()) name_ = proto.output_size() > 0 ? proto.output(0) : proto.op_type();
  for (const std::string& input : proto.input()) {
    auto operand = importer.operands_.find(input);
    inputs_.push_back(operand == importer.operands_.end() ? nullptr : &operand->second);
  }
  // Absent optional operands at the end are as if not listed.
  while (!inputs_.empty() && !inputs_.back()) inputs_.pop_back();
  outputs_.resize(static_cast<size_t>(proto.output_size()));
}

// --- Attributes

const AttributeProto* OnnxNode::find(const std::string& name) {
  asked_.insert(name);
  for (const auto& attribute : proto_.attribute())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

const AttributeProto* OnnxNode::find(const std::string& name, int type, const char* kind) {
  const AttributeProto* attribute = find(name);
  if (!attribute || attribute->type() == type) return attribute;
  if (!attribute_error_)
    attribute_error_ = input_error(fmt::format("attribute '{}' is not {}", name, kind));
  return nullptr;
}

int64_t OnnxNode::limited(const std::string& name, int64_t value) {
  if (value >= -kIntegerLimit && value <= kIntegerLimit) return value;
  if (!attribute_error_)
    attribute_error_ = input_error(
        fmt::format("attribute '{}' is {}; the limit is {}", name, value, kIntegerLimit));
  return 0;
}

int64_t OnnxNode::integer(const std::string& name, int64_t fallback) {
  const auto* attribute = find(name, AttributeProto::INT, "an integer");
  return attribute ? limited(name, attribute->i()) : fallback;
}

float OnnxNode::real(const std::string& name, float fallback) {
  const auto* attribute = find(name, AttributeProto::FLOAT, "a float");
  return attribute ? attribute->f() : fallback;
}

std::string OnnxNode::text(const std::string& name, const std::string& fallback) {
  const auto* attribute = find(name, AttributeProto::STRING, "a text");
  return attribute ? attribute->s() : fallback;
}

std::vector<int64_t> OnnxNode::wide_integers(const std::string& name) {
  const auto* attribute = find(name, AttributeProto::INTS, "a list of integers");
  if (!attribute) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<int64_t> OnnxNode::integers(const std::string& name, std::vector<int64_t> fallback) {
  if (!has_attribute(name)) return fallback;
  auto values = wide_integers(name);
  for (int64_t& value : values) value = limited(name, value);
  return values;
}

std::vector<float> OnnxNode::reals(const std::string& name) {
  const auto* attribute = find(name, AttributeProto::FLOATS, "a list of floats");
  if (!attribute) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

Result<Tensor> OnnxNode::tensor(const std::string& name) {
  const auto* attribute = find(name, AttributeProto::TENSOR, "a tensor");
  if (!attribute) return input_error(fmt::format("attribute '{}' is missing", name));
  auto tensor = read_onnx_tensor(attribute->t(), importer_.side_files_);
  if (!tensor.ok())
    return input_error(fmt::format("attribute '{}' {}", name, tensor.error().message));
  return tensor;
}

Status OnnxNode::attribute_error() const {
  if (attribute_error_) return *attribute_error_;
  for (const auto& attribute : proto_.attribute())
    if (!asked_.contains(attribute.name()))
      return input_error(fmt::format("attribute '{}' is not supported", attribute.name()));
  return {};
}

// --- Operands

OnnxOperand& OnnxNode::input(size_t index) {
  NIBBLE_CHECK(has_input(index), "input {} of {}", index, name_);
  return *inputs_[index];
}

Result<ValueId> OnnxNode::value(size_t index) {
  if (!has_input(index)) return kNoValue;
  return importer_.materialize(input(index), name_ + "/constant");
}

Result<ValueId> OnnxNode::real_value(size_t index) {
  NIBBLE_ASSIGN(ValueId id, value(index));
  if (id != kNoValue && type_of(id).dtype != DType::kF32)
    return input_error(
        fmt::format("computes on {} elements ('{}'); only float elements are supported, or "
                    "integers between QuantizeLinear and DequantizeLinear",
                    dtype_name(type_of(id).dtype), importer_.graph_.value(id).name));
  return id;
}

const TensorType& OnnxNode::type(size_t index) {
  OnnxOperand& operand = input(index);
  return operand.constant ? operand.constant->type() : type_of(operand.value);
}

const Shape& OnnxNode::shape(size_t index) { return type(index).shape; }

bool OnnxNode::all_constant() const {
  return std::all_of(inputs_.begin(), inputs_.end(), [](const OnnxOperand* operand) {
    return !operand || operand->plain_constant();
  });
}

Result<std::vector<int64_t>> OnnxNode::constant_integers(size_t index, const std::string& what) {
  const OnnxOperand& operand = input(index);
  if (!operand.plain_constant())
    return input_error(
        fmt::format("{} ('{}') is computed from the model's input; it must be constant", what,
                    proto_.input(static_cast<int>(index))));
  if (operand.constant->dtype() == DType::kF32)
    return input_error(fmt::format("{} is a float, not an integer", what));
  if (operand.constant->size() > 65536)
    return input_error(fmt::format("{} has {} elements", what, operand.constant->size()));
  std::vector<int64_t> values;
  for (int64_t i = 0; i < operand.constant->size(); ++i)
    values.push_back(operand.constant->integer_at(i));
  return values;
}

std::optional<Tensor> OnnxNode::real_constant(size_t index) {
  if (!has_input(index)) return std::nullopt;
  const OnnxOperand& operand = input(index);
  if (!operand.constant) return std::nullopt;
  if (operand.dequantize) return dequantize_tensor(*operand.constant);
  if (operand.constant->dtype() != DType::kF32) return std::nullopt;
  return operand.constant;
}

Result<std::vector<float>> OnnxNode::constant_reals(size_t index, const std::string& what) {
  auto constant = real_constant(index);
  if (!constant)
    return input_error(fmt::format("{} ('{}') must be a float constant", what,
                                   proto_.input(static_cast<int>(index))));
  auto data = constant->data<float>();
  return std::vector<float>(data.begin(), data.end());
}

const Shape& OnnxNode::shape_of(const OnnxOperand& operand) const {
  return operand.constant ? operand.constant->shape() : type_of(operand.value).shape;
}

OnnxOperand OnnxNode::operand_of(ValueId value, int onnx_type) const {
  OnnxOperand operand;
  operand.onnx_type = onnx_type;
  operand.value = value;
  return operand;
}

Result<ValueId> OnnxNode::value_of(const OnnxOperand& operand) {
  OnnxOperand copy = operand;
  return importer_.materialize(copy, name_ + "/constant");
}

Status OnnxNode::set_quant(ValueId value, const QuantParams& quant) {
  TensorType& type = importer_.graph_.value(value).type;
  if (type.quant && *type.quant != quant)
    return input_error(
        fmt::format("reads '{}' with another scale or zero point than it was quantized with",
                    importer_.graph_.value(value).name));
  type.quant = quant;
  return {};
}

Status OnnxNode::reserve(const Shape& shape, DType dtype) {
  NIBBLE_ASSIGN(int64_t count, checked_count(shape));
  importer_.constant_bytes_ += count * dtype_bytes(dtype);
  if (importer_.constant_bytes_ > kMaxConstantBytes)
    return input_error(fmt::format("the constants that the model computes take more than {} bytes",
                                   kMaxConstantBytes));
  return {};
}

// --- Building

Result<ValueId> OnnxNode::add(Op op, std::vector<ValueId> inputs, const std::string& suffix,
                              std::optional<QuantParams> quant, std::optional<DType> dtype) {
  std::string wanted = suffix.empty() ? name_ : name_ + "/" + suffix;
  Graph& graph = importer_.graph_;
  NIBBLE_ASSIGN(ValueId value, append_node(graph, std::move(op), wanted, std::move(inputs),
                                           std::move(quant), dtype));
  auto count = checked_count(graph.type(value).shape);
  if (!count.ok()) return input_error(fmt::format("its result {}", count.error().message));
  if (*count == 0) return input_error("its result is empty (an extent is zero)");
  graph.value(value).name = importer_.fresh_name(wanted);
  return value;
}

Result<ValueId> OnnxNode::add_constant(Tensor tensor, const std::string& name) {
  NIBBLE_TRY(reserve(tensor.shape(), tensor.dtype()));
  return append_constant(importer_.graph_, importer_.take_name(name), std::move(tensor));
}

Result<ValueId> OnnxNode::add_weight(const OnnxOperand& weight) {
  OnnxOperand copy = weight;
  copy.value = kNoValue;
  NIBBLE_TRY(reserve(weight.constant->shape(), weight.constant->dtype()));
  return importer_.materialize(copy, name_ + "/weight");
}

Result<ValueId> add_move(OnnxNode& node, Op op, std::vector<ValueId> inputs,
                         const std::string& suffix) {
  const TensorType type = node.type_of(inputs[0]);
  if (is_integer(type.dtype) && !type.quant)
    return input_error(
        fmt::format("moves {} elements without quantization parameters; only float and quantized "
                    "values are supported",
                    dtype_name(type.dtype)));
  return node.add(std::move(op), std::move(inputs), suffix, type.quant, type.dtype);
}

Result<ValueId> OnnxNode::transpose_value(ValueId src, const std::vector<int64_t>& perm,
                                          const std::string& suffix) {
  if (is_identity(perm)) return src;
  return add_move(*this, Transpose{perm}, {src}, suffix);
}

Result<ValueId> OnnxNode::reshape_value(ValueId src, const Shape& shape,
                                        const std::string& suffix) {
  if (type_of(src).shape == shape) return src;
  return add_move(*this, Reshape{shape}, {src}, suffix);
}

Result<OnnxOperand> OnnxNode::transpose(const OnnxOperand& src, const std::vector<int64_t>& perm,
                                        const std::string& suffix) {
  if (!src.constant) {
    NIBBLE_ASSIGN(ValueId value, transpose_value(src.value, perm, suffix));
    return operand_of(value, src.onnx_type);
  }
  OnnxOperand result = src;
  result.value = kNoValue;
  NIBBLE_TRY(reserve(src.constant->shape(), src.constant->dtype()));
  result.constant = transposed(*src.constant, perm);
  return result;
}

Result<OnnxOperand> OnnxNode::reshape(const OnnxOperand& src, const Shape& shape,
                                      const std::string& suffix) {
  NIBBLE_ASSIGN(int64_t count, checked_count(shape));
  int64_t held = elem_count(shape_of(src));
  if (count != held)
    return input_error(fmt::format("cannot make {} ({} elements) of {} ({} elements)",
                                   format_shape(shape), count, format_shape(shape_of(src)), held));
  if (!src.constant) {
    NIBBLE_ASSIGN(ValueId value, reshape_value(src.value, shape, suffix));
    return operand_of(value, src.onnx_type);
  }
  const auto& quant = src.constant->type().quant;
  if (quant && !quant->per_tensor()) {
    // Parameters per channel follow their axis only if its extent stays and so does what lies
    // within.
    int64_t extent = src.constant->shape()[static_cast<size_t>(quant->axis)];
    int64_t outer = 1, wanted = 1;
    for (int i = 0; i < quant->axis; ++i) outer *= src.constant->shape()[static_cast<size_t>(i)];
    size_t axis = 0;
    while (axis < shape.size() && !(wanted == outer && shape[axis] == extent))
      wanted *= shape[axis++];
    if (axis == shape.size())
      return input_error("reshapes a constant across the axis of its quantization parameters");
    OnnxOperand moved = src;
    QuantParams params = *quant;
    params.axis = static_cast<int>(axis);
    moved.constant->reshape(shape);
    moved.constant->set_quant(params);
    moved.value = kNoValue;
    return moved;
  }
  OnnxOperand result = src;
  result.value = kNoValue;
  result.constant->reshape(shape);
  return result;
}

Result<OnnxOperand> OnnxNode::slice(const OnnxOperand& src, const Slice& slice,
                                    const std::string& suffix) {
  if (src.plain_constant()) {
    OnnxOperand result = src;
    result.value = kNoValue;
    NIBBLE_TRY(reserve(slice.extent, src.constant->dtype()));
    result.constant = slice_constant(*src.constant, slice);
    return result;
  }
  NIBBLE_ASSIGN(ValueId value, value_of(src));
  for (int64_t extent : slice.extent)
    if (extent == 0) return input_error("its result is empty (an extent is zero)");
  NIBBLE_ASSIGN(ValueId result, add_move(*this, slice, {value}, suffix));
  return operand_of(result, src.onnx_type);
}

Result<ValueId> OnnxNode::to_channels_last(ValueId src) {
  Shape shape = type_of(src).shape;
  if (shape.size() == 3) {
    NIBBLE_ASSIGN(src, reshape_value(src, {shape[0], shape[1], 1, shape[2]}, "as_2d"));
  }
  return transpose_value(src, {0, 2, 3, 1}, "to_nhwc");
}

Result<ValueId> OnnxNode::from_channels_last(ValueId src, size_t rank) {
  NIBBLE_ASSIGN(ValueId moved, transpose_value(src, {0, 3, 1, 2}, "to_nchw"));
  const Shape shape = type_of(moved).shape;
  if (rank == 4) return moved;
  return reshape_value(moved, {shape[0], shape[1], shape[3]}, "as_1d");
}

// --- Results

void OnnxNode::set_output(size_t index, OnnxOperand operand) {
  NIBBLE_CHECK(index < outputs_.size(), "output {} of {}", index, name_);
  const std::string& name = proto_.output(static_cast<int>(index));
  Graph& graph = importer_.graph_;
  bool is_operand = std::any_of(inputs_.begin(), inputs_.end(), [&](const OnnxOperand* input) {
    return input && input->value == operand.value;
  });
  if (operand.constant) {
    operand.name = name;
  } else if (!is_operand && !name.empty() && importer_.used_names_.insert(name).second) {
    importer_.used_names_.erase(graph.value(operand.value).name);
    graph.value(operand.value).name = name;
  }
  outputs_[index] = std::move(operand);
}

void OnnxNode::set_output(size_t index, ValueId value) { set_output(index, operand_of(value)); }

}  // namespace nibble
