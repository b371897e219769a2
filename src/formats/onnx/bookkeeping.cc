// Operators whose result is known when the model is read, because shapes are static: they are
// computed here and leave no node. On data that depend on the model's input they are not supported,
// but for casts between float types.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

using onnx::TensorProto;

Tensor integers_of(const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, DType::kS64, values);
}

// Element-wise conversion; floats are cut toward zero.
Tensor convert(const Tensor& src, DType dtype) {
  if (src.dtype() == dtype) return src;
  Tensor dst(TensorType{src.shape(), dtype, std::nullopt});
  for (int64_t i = 0; i < src.size(); ++i) {
    if (dtype == DType::kF32) {
      dst.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(src.integer_at(i));
      continue;
    }
    bool is_real = src.dtype() == DType::kF32;
    int64_t value = is_real ? to_integer(element_real(src, i)) : src.integer_at(i);
    if (dtype == DType::kBool) value = is_real ? element_real(src, i) != 0 : value != 0;
    dst.set_integer_at(i, value);
  }
  return dst;
}

// --- The few of these operators that the graph can say on activations

constexpr int64_t kMaxParts = 256;

Result<ValueId> join(OnnxNode& node, std::vector<ValueId> parts, size_t axis,
                     const std::string& suffix) {
  return add_move(node, Concat{static_cast<int64_t>(axis)}, std::move(parts), suffix);
}

// Copies side by side.
Status repeat_activation(OnnxNode& node, const OnnxOperand& src,
                         const std::vector<int64_t>& repeats) {
  NIBBLE_ASSIGN(ValueId value, node.value_of(src));
  for (size_t axis = 0; axis < repeats.size(); ++axis) {
    if (repeats[axis] == 1) continue;
    if (repeats[axis] < 1 || repeats[axis] > kMaxParts)
      return input_error(
          fmt::format("repeats an axis {} times; 1 to {} are supported", repeats[axis], kMaxParts));
    std::vector<ValueId> parts(static_cast<size_t>(repeats[axis]), value);
    NIBBLE_ASSIGN(value, join(node, std::move(parts), axis, fmt::format("axis_{}", axis)));
  }
  node.set_output(0, value);
  return {};
}

// Slices by constant indices: one index removes the axis, a list of them is joined.
Status gather_activation(OnnxNode& node) {
  const Shape shape = node.shape(0);
  NIBBLE_ASSIGN(size_t axis, checked_axis(node.integer("axis", 0), shape.size()));
  NIBBLE_ASSIGN(auto indices, node.constant_integers(1, "its indices"));
  if (node.shape(1).size() > 1 || indices.empty() ||
      static_cast<int64_t>(indices.size()) > kMaxParts)
    return input_error(fmt::format(
        "takes {} indices from a value that depends on the model's input; one or a list of up "
        "to {} is supported",
        format_shape(node.shape(1)), kMaxParts));
  NIBBLE_ASSIGN(ValueId src, node.value(0));
  std::vector<ValueId> parts;
  for (size_t i = 0; i < indices.size();) {
    Slice slice{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
    int64_t first = indices[i] < 0 ? indices[i] + shape[axis] : indices[i];
    if (first < 0 || first >= shape[axis])
      return input_error(fmt::format("takes element {} of {}", indices[i], shape[axis]));
    size_t run = 1;
    while (i + run < indices.size() && indices[i + run] == indices[i] + static_cast<int64_t>(run) &&
           first + static_cast<int64_t>(run) < shape[axis])
      ++run;
    slice.begin[axis] = first;
    slice.extent[axis] = static_cast<int64_t>(run);
    NIBBLE_ASSIGN(OnnxOperand part,
                  node.slice(node.operand_of(src), slice, fmt::format("part_{}", parts.size())));
    parts.push_back(part.value);
    i += run;
  }
  ValueId result = parts[0];
  if (parts.size() > 1) {
    NIBBLE_ASSIGN(result, join(node, std::move(parts), axis, ""));
  }
  if (node.shape(1).empty()) {
    Shape without = shape;
    without.erase(without.begin() + static_cast<int64_t>(axis));
    NIBBLE_ASSIGN(result, node.reshape_value(result, without, "drop_axis"));
  }
  node.set_output(0, result);
  return {};
}

}  // namespace

Status set_constant(OnnxNode& node, Tensor tensor, int onnx_type) {
  OnnxOperand result;
  result.constant = std::move(tensor);
  result.onnx_type = onnx_type;
  node.set_output(0, std::move(result));
  return {};
}

Status need_constants(const OnnxNode& node) {
  if (node.all_constant()) return {};
  return input_error(
      "is supported on constants and shapes only, not on values that depend on the model's input");
}

int64_t to_integer(double real) {
  constexpr double kLimit = 0x1p62;
  return std::isnan(real) ? 0 : static_cast<int64_t>(std::clamp(real, -kLimit, kLimit));
}

Status import_constant(OnnxNode& node) {
  if (node.has_attribute("value")) {
    NIBBLE_ASSIGN(Tensor tensor, node.tensor("value"));
    int onnx_type = TensorProto::UNDEFINED;
    for (const auto& attribute : node.proto().attribute())
      if (attribute.name() == "value") onnx_type = attribute.t().data_type();
    return set_constant(node, std::move(tensor), onnx_type);
  }
  if (node.has_attribute("value_float")) {
    float value = node.real("value_float", 0);
    return set_constant(node, Tensor::of_floats({}, std::span(&value, 1)));
  }
  if (node.has_attribute("value_floats")) {
    auto values = node.reals("value_floats");
    return set_constant(node, Tensor::of_floats({static_cast<int64_t>(values.size())}, values));
  }
  if (node.has_attribute("value_int")) {
    int64_t value = node.integer("value_int", 0);
    return set_constant(node, Tensor::of<int64_t>({}, DType::kS64, std::span(&value, 1)));
  }
  if (node.has_attribute("value_ints"))
    return set_constant(node, integers_of(node.wide_integers("value_ints")));
  return input_error("holds neither numbers nor a dense tensor");
}

Status import_constant_of_shape(OnnxNode& node) {
  NIBBLE_ASSIGN(auto shape, node.constant_integers(0, "its shape"));
  float zero = 0;
  Tensor value = Tensor::of_floats({1}, std::span(&zero, 1));
  if (node.has_attribute("value")) {
    NIBBLE_ASSIGN(value, node.tensor("value"));
  }
  if (value.size() != 1) return input_error("attribute 'value' is not one element");
  NIBBLE_TRY(node.reserve(shape, value.dtype()));
  value.reshape({});
  return set_constant(node, broadcast_constant(value, shape));
}

Status import_shape(OnnxNode& node) {
  const Shape shape = node.shape(0);
  auto rank = static_cast<int64_t>(shape.size());
  auto place = [&](int64_t index) {
    return std::clamp<int64_t>(index < 0 ? index + rank : index, 0, rank);
  };
  int64_t start = place(node.integer("start", 0)), end = place(node.integer("end", rank));
  if (end < start) end = start;
  return set_constant(node, integers_of({shape.begin() + start, shape.begin() + end}));
}

Status import_size(OnnxNode& node) {
  int64_t count = elem_count(node.shape(0));
  return set_constant(node, Tensor::of<int64_t>({}, DType::kS64, std::span(&count, 1)));
}

Status import_gather(OnnxNode& node) {
  if (!node.input(0).plain_constant()) return gather_activation(node);
  const Tensor& data = *node.input(0).constant;
  NIBBLE_ASSIGN(size_t axis, checked_axis(node.integer("axis", 0), data.shape().size()));
  NIBBLE_ASSIGN(auto indices, node.constant_integers(1, "its indices"));
  int64_t extent = data.shape()[axis];
  Shape shape(data.shape().begin(), data.shape().begin() + static_cast<int64_t>(axis));
  shape.insert(shape.end(), node.shape(1).begin(), node.shape(1).end());
  shape.insert(shape.end(), data.shape().begin() + static_cast<int64_t>(axis) + 1,
               data.shape().end());
  NIBBLE_TRY(node.reserve(shape, data.dtype()));
  Tensor result(TensorType{shape, data.dtype(), std::nullopt});
  if (result.size() == 0) return set_constant(node, std::move(result));
  size_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(data.shape()[i]);
  size_t block = data.bytes().size() / outer / static_cast<size_t>(extent);
  auto src = data.bytes();
  auto dst = result.mutable_bytes();
  size_t done = 0;
  for (size_t row = 0; row < outer; ++row)
    for (int64_t index : indices) {
      if (index < -extent || index >= extent)
        return input_error(fmt::format("takes element {} of {}", index, extent));
      auto at = static_cast<size_t>(index < 0 ? index + extent : index);
      std::memcpy(&dst[done], &src[(row * static_cast<size_t>(extent) + at) * block], block);
      done += block;
    }
  return set_constant(node, std::move(result));
}

// On activations: between float types nothing happens, from integers it is what a dequantization by
// one does.
Status import_cast(OnnxNode& node) {
  node.ignore("saturate");
  node.ignore("round_mode");
  auto to = static_cast<int>(node.integer("to", 0));
  NIBBLE_ASSIGN(DType dtype, element_type(to));
  const OnnxOperand operand = node.input(0);
  if (operand.plain_constant()) {
    NIBBLE_TRY(node.reserve(operand.constant->shape(), dtype));
    return set_constant(node, convert(*operand.constant, dtype), to);
  }
  const TensorType type = node.type(0);
  if (operand.dequantize || (type.dtype == DType::kF32 && dtype == DType::kF32)) {
    if (dtype != DType::kF32) return input_error("turns floats into integers");
    node.set_output(0, operand);
    return {};
  }
  bool bytes = type.dtype == DType::kU8 || type.dtype == DType::kS8 || type.dtype == DType::kS16;
  if (dtype != DType::kF32 || !bytes)
    return input_error(fmt::format(
        "turns {} into {}; 8- and 16-bit integers into floats, and floats into floats, are "
        "supported",
        dtype_name(type.dtype), onnx_type_name(to)));
  if (type.quant) return input_error("turns quantized integers into floats without their scale");
  QuantParams params{{1},
                     {0},
                     -1,
                     dtype_bits(type.dtype),
                     static_cast<int32_t>(dtype_min(type.dtype)),
                     static_cast<int32_t>(dtype_max(type.dtype))};
  NIBBLE_TRY(node.set_quant(operand.value, params));
  NIBBLE_ASSIGN(ValueId result, node.add(Dequantize{}, {operand.value}));
  node.set_output(0, result);
  return {};
}

Status import_range(OnnxNode& node) {
  NIBBLE_TRY(need_constants(node));
  std::vector<double> bounds;
  for (size_t i = 0; i < 3; ++i) {
    if (node.input(i).constant->size() != 1) return input_error("a bound is not one number");
    bounds.push_back(element_real(*node.input(i).constant, 0));
  }
  double count = std::max(std::ceil((bounds[1] - bounds[0]) / bounds[2]), 0.0);
  if (!(count <= 1e8)) return input_error("its bounds give no range");
  DType dtype = node.type(0).dtype;
  Shape shape = {static_cast<int64_t>(count)};
  NIBBLE_TRY(node.reserve(shape, dtype));
  Tensor result(TensorType{shape, dtype, std::nullopt});
  for (int64_t i = 0; i < result.size(); ++i) {
    double value = bounds[0] + static_cast<double>(i) * bounds[2];
    if (dtype == DType::kF32)
      result.mutable_data<float>()[static_cast<size_t>(i)] = static_cast<float>(value);
    else
      result.set_integer_at(i, to_integer(value));
  }
  return set_constant(node, std::move(result));
}

Status import_expand(OnnxNode& node) {
  NIBBLE_ASSIGN(auto stated, node.constant_integers(1, "its shape"));
  const Shape own = node.shape(0);
  NIBBLE_TRY(node.reserve(stated, DType::kBool));
  NIBBLE_ASSIGN(Shape shape, broadcast_shapes(own, stated));
  if (elem_count(shape) == elem_count(own)) {
    NIBBLE_ASSIGN(OnnxOperand result, node.reshape(node.input(0), shape));
    node.set_output(0, std::move(result));
    return {};
  }
  if (!node.input(0).plain_constant()) {
    Shape padded = own;
    padded.insert(padded.begin(), shape.size() - std::min(shape.size(), own.size()), 1);
    std::vector<int64_t> repeats;
    for (size_t i = 0; i < shape.size(); ++i) repeats.push_back(shape[i] / padded[i]);
    NIBBLE_ASSIGN(OnnxOperand src, node.reshape(node.input(0), padded, "axes"));
    return repeat_activation(node, src, repeats);
  }
  NIBBLE_TRY(node.reserve(shape, node.type(0).dtype));
  return set_constant(node, broadcast_constant(*node.input(0).constant, shape));
}

Status import_where(OnnxNode& node) {
  NIBBLE_TRY(need_constants(node));
  const Tensor &condition = *node.input(0).constant, &yes = *node.input(1).constant,
               &no = *node.input(2).constant;
  if (yes.dtype() != no.dtype() || condition.dtype() != DType::kBool)
    return input_error("mixes element types");
  NIBBLE_ASSIGN(Shape shape, broadcast_shapes(yes.shape(), no.shape()));
  NIBBLE_ASSIGN(shape, broadcast_shapes(shape, condition.shape()));
  NIBBLE_TRY(node.reserve(shape, DType::kS64));
  Tensor truth = broadcast_constant(condition, shape);
  Tensor result = broadcast_constant(yes, shape), other = broadcast_constant(no, shape);
  auto width = static_cast<size_t>(dtype_bytes(yes.dtype()));
  for (int64_t i = 0; i < result.size(); ++i)
    if (truth.integer_at(i) == 0) {
      size_t at = static_cast<size_t>(i) * width;
      std::memcpy(&result.mutable_bytes()[at], &other.bytes()[at], width);
    }
  return set_constant(node, std::move(result));
}

Status import_tile(OnnxNode& node) {
  NIBBLE_ASSIGN(auto repeats, node.constant_integers(1, "its repeats"));
  const Shape shape = node.shape(0);
  if (repeats.size() != shape.size()) return input_error("its repeats do not fit its axes");
  if (std::all_of(repeats.begin(), repeats.end(), [](int64_t count) { return count == 1; })) {
    node.set_output(0, node.input(0));
    return {};
  }
  if (!node.input(0).plain_constant()) return repeat_activation(node, node.input(0), repeats);
  Tensor result = *node.input(0).constant;
  for (size_t axis = 0; axis < repeats.size(); ++axis) {
    if (repeats[axis] < 1 || repeats[axis] > 65536)
      return input_error(fmt::format("repeats {} times", repeats[axis]));
    Shape grown = result.shape();
    grown[axis] *= repeats[axis];
    NIBBLE_TRY(node.reserve(grown, result.dtype()));
    result =
        concat_constants(std::vector<Tensor>(static_cast<size_t>(repeats[axis]), result), axis);
  }
  return set_constant(node, std::move(result));
}

}  // namespace nibble
