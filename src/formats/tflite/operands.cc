// What the conversions of the TFLite importer take from the file, operands, and what they give to
// the graph, results.
#include <algorithm>
#include <cstring>
#include <limits>

#include "formats/tflite/importer.h"

namespace nibble {

namespace file = tflite_file;

namespace {

constexpr int64_t kMaxActivation = int64_t{1} << 28;  // elements

// How TFLite's converters write a bookkeeping constant.
StaticArray read_static(const TfliteTensor& tensor) {
  StaticArray array{tensor.shape, {}};
  int64_t count = elem_count(tensor.shape);
  size_t bytes = static_cast<size_t>(tflite_type_bits(tensor.type) / 8);
  for (int64_t i = 0; i < count; ++i) {
    const uint8_t* address = tensor.data.data() + static_cast<size_t>(i) * bytes;
    if (tensor.type == file::ElementType_INT64) {
      int64_t value;
      std::memcpy(&value, address, sizeof value);
      array.elems.push_back(value);
    } else if (tensor.type == file::ElementType_INT32) {
      int32_t value;
      std::memcpy(&value, address, sizeof value);
      array.elems.push_back(value);
    } else {
      array.elems.push_back(*address);
    }
  }
  return array;
}

}  // namespace

bool is_static_constant(const TfliteTensor& tensor) {
  return tensor.is_constant && !tensor.sparse && is_bookkeeping(tensor) &&
         elem_count(tensor.shape) <= kMaxStatic;
}

Status check_activation_size(const Shape& shape, const std::string& name) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent <= 0)
      return input_error(
          fmt::format("'{}' would be {}, which holds nothing", name, format_shape(shape)));
    if (__builtin_mul_overflow(count, extent, &count) || count > kMaxActivation)
      return input_error(
          fmt::format("'{}' would be {}: more than {} elements, too many for a "
                      "microcontroller",
                      name, format_shape(shape), kMaxActivation));
  }
  return {};
}

// --- Operands

Status TfliteImporter::need_operands(const TfliteOperator& op, size_t least, size_t most) const {
  if (op.inputs.size() < least || op.inputs.size() > most)
    return input_error(
        fmt::format("has {} operands; {} to {} are expected", op.inputs.size(), least, most));
  for (size_t i = 0; i < least; ++i)
    if (!has_operand(op, i)) return input_error(fmt::format("operand {} is missing", i));
  return {};
}

bool TfliteImporter::has_operand(const TfliteOperator& op, size_t operand) const {
  return operand < op.inputs.size() && op.inputs[operand] >= 0;
}

Result<ValueId> TfliteImporter::activation(const TfliteOperator& op, size_t operand) {
  if (!has_operand(op, operand)) return input_error(fmt::format("operand {} is missing", operand));
  auto index = static_cast<size_t>(op.inputs[operand]);
  if (values_[index] != kNoValue) return values_[index];
  if (static_[index] && !model_.tensors[index].is_constant)
    return input_error(fmt::format("computes on '{}', which is a shape; that is not supported",
                                   model_.tensors[index].name));
  NIBBLE_TRY(charge(elem_count(model_.tensors[index].shape) * 4));
  NIBBLE_ASSIGN(Tensor value, activation_constant(model_.tensors[index]));
  values_[index] = add_constant(model_.tensors[index].name, std::move(value));
  return values_[index];
}

Result<ValueId> TfliteImporter::weights(const TfliteOperator& op, size_t operand, ValueId src,
                                        int channel_axis) {
  if (!has_operand(op, operand)) return input_error("its weights are missing");
  auto index = static_cast<size_t>(op.inputs[operand]);
  // Weights that went through DEQUANTIZE (float16 models) are constants of the graph by now.
  if (graph_.is_constant(values_[index])) return values_[index];
  const TfliteTensor& tensor = model_.tensors[index];
  if (!tensor.is_constant)
    return input_error(fmt::format(
        "its weights '{}' are computed at run time; constants are expected", tensor.name));
  bool real = is_float(src);
  int64_t key = (op.inputs[operand] * int64_t{16} + channel_axis) * 2 + (real ? 1 : 0);
  if (auto found = constants_.find(key); found != constants_.end()) return found->second;
  NIBBLE_TRY(charge(elem_count(tensor.shape) * 4));
  NIBBLE_ASSIGN(Tensor value, weight_constant(tensor, channel_axis));
  if (real && value.dtype() != DType::kF32) value = dequantize_tensor(value);
  if (!real && value.dtype() == DType::kF32)
    return input_error(fmt::format("its weights '{}' are float, its input is {}", tensor.name,
                                   dtype_name(type_of(src).dtype)));
  return constants_[key] = add_constant(tensor.name, std::move(value));
}

Result<ValueId> TfliteImporter::bias(const TfliteOperator& op, size_t operand, ValueId src,
                                     ValueId weights) {
  if (!has_operand(op, operand)) return kNoValue;
  auto index = static_cast<size_t>(op.inputs[operand]);
  if (graph_.is_constant(values_[index])) return values_[index];
  const TfliteTensor& tensor = model_.tensors[index];
  if (!tensor.is_constant)
    return input_error(
        fmt::format("its bias '{}' is computed at run time; a constant is expected", tensor.name));
  NIBBLE_TRY(charge(elem_count(tensor.shape) * 8));
  // Not shared: the scale of a bias follows from the input and the weights of its own operator.
  if (is_float(src)) {
    NIBBLE_ASSIGN(Tensor value, float_bias(tensor));
    return add_constant(tensor.name, std::move(value));
  }
  const auto& quant = type_of(src).quant;
  if (!quant) return input_error("its input is an integer without scale");
  NIBBLE_ASSIGN(Tensor value, integer_bias(tensor, quant->scale[0], *type_of(weights).quant));
  return add_constant(tensor.name, std::move(value));
}

const StaticArray* TfliteImporter::static_operand(const TfliteOperator& op, size_t operand) {
  return has_operand(op, operand) ? static_tensor(op.inputs[operand]) : nullptr;
}

const StaticArray* TfliteImporter::static_tensor(int index) {
  auto& known = static_[static_cast<size_t>(index)];
  if (!known && is_static_constant(tensor(index))) known = read_static(tensor(index));
  return known ? &*known : nullptr;
}

Result<const StaticArray*> TfliteImporter::need_static(const TfliteOperator& op, size_t operand,
                                                       const char* what) {
  const StaticArray* array = static_operand(op, operand);
  if (!array)
    return input_error(
        fmt::format("its {} must be known in advance (a constant, or computed from "
                    "static shapes)",
                    what));
  return array;
}

std::optional<float> TfliteImporter::uniform_constant(const TfliteOperator& op,
                                                      size_t operand) const {
  if (!has_operand(op, operand)) return std::nullopt;
  int index = op.inputs[operand];
  ValueId id = values_[static_cast<size_t>(index)];
  std::optional<Tensor> value;
  if (graph_.is_constant(id)) {
    value = graph_.value(id).constant;
  } else if (tensor(index).is_constant && elem_count(tensor(index).shape) <= kMaxStaticInput) {
    auto read = activation_constant(tensor(index));
    if (read.ok()) value = std::move(*read);
  }
  if (!value || value->size() < 1) return std::nullopt;
  if (value->dtype() != DType::kF32) {
    if (!value->type().quant) return std::nullopt;
    value = dequantize_tensor(*value);
  }
  auto elems = value->data<float>();
  bool same = std::all_of(elems.begin(), elems.end(), [&](float e) { return e == elems[0]; });
  return same ? std::optional<float>(elems[0]) : std::nullopt;
}

// --- Results

Status TfliteImporter::emit(const TfliteOperator& op, Op node, std::vector<ValueId> inputs,
                            size_t output) {
  const TfliteTensor& target = tensor(op.outputs[output]);
  NIBBLE_ASSIGN(TensorType type, activation_type(target));
  NIBBLE_ASSIGN(ValueId id, append(std::move(node), target.name, std::move(inputs), type));
  // Where the batch was dynamic the file's shapes are only one example.
  if (!dynamic_batch_ && target.dynamic.empty() && shape_of(id) != target.shape)
    return input_error(fmt::format("its output '{}' is {} in the file, but its operands give {}",
                                   target.name, format_shape(target.shape),
                                   format_shape(shape_of(id))));
  values_[static_cast<size_t>(op.outputs[output])] = id;
  return {};
}

Result<ValueId> TfliteImporter::emit_helper(const TfliteOperator& op, Op node,
                                            std::vector<ValueId> inputs, const std::string& suffix,
                                            ValueId like) {
  return append(std::move(node), op.name + "/" + suffix, std::move(inputs), type_of(like));
}

Result<ValueId> TfliteImporter::append(Op node, const std::string& name,
                                       std::vector<ValueId> inputs, const TensorType& type) {
  NIBBLE_ASSIGN(ValueId id, append_node(graph_, std::move(node), unique_name(name),
                                        std::move(inputs), type.quant, type.dtype));
  NIBBLE_TRY(check_activation_size(shape_of(id), name));
  return id;
}

ValueId TfliteImporter::add_constant(const std::string& name, Tensor value) {
  return append_constant(graph_, unique_name(name), std::move(value));
}

// Many tensors may share one buffer; what they unfold to stays in proportion to the file.
Status TfliteImporter::charge(int64_t bytes) {
  constexpr int64_t kFree = int64_t{16} << 20;
  constexpr int64_t kFactor = 16;
  constant_bytes_ += bytes;
  if (constant_bytes_ > kFree + kFactor * static_cast<int64_t>(model_.file_bytes))
    return input_error(
        "its constants unfold to many times the size of the file; the file is damaged "
        "or hostile");
  return {};
}

// By a table, where append_node alone would search all names for each.
std::string TfliteImporter::unique_name(const std::string& wanted) {
  if (auto [place, fresh] = names_.try_emplace(wanted, 1); fresh) return wanted;
  for (;;) {
    std::string name = fmt::format("{}_{}", wanted, ++names_[wanted]);
    if (names_.try_emplace(name, 1).second) return name;
  }
}

Result<Bounds> fused_bounds(file::Activation activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case file::Activation_NONE:
      return Bounds{};
    case file::Activation_RELU:
      return Bounds{0, kInfinity};
    case file::Activation_RELU_N1_TO_1:
      return Bounds{-1, 1};
    case file::Activation_RELU6:
      return Bounds{0, 6};
    default:
      break;
  }
  std::string name = file::EnumNameActivation(activation);
  return input_error(
      fmt::format("the fused activation {} is not supported; NONE, RELU, RELU6 and "
                  "RELU_N1_TO_1 are",
                  name.empty() ? std::to_string(static_cast<int>(activation)) : name));
}

}  // namespace nibble
