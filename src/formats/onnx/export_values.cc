// How values and constants stand in an ONNX file: the order of their axes, their quantization, the
// bounds that an activation or a narrow grid puts on them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "formats/onnx/exporter.h"
#include "formats/onnx/importer.h"
#include "ops/ops.h"

namespace nibble {
namespace {

using onnx::TensorProto;

// The type of an activation in the file; UNDEFINED where ONNX has no QuantizeLinear to it.
int activation_type(DType dtype) {
  switch (dtype) {
    case DType::kS1:
    case DType::kS2:
    case DType::kS4:
    case DType::kS8:
      return TensorProto::INT8;
    case DType::kU8:
      return TensorProto::UINT8;
    case DType::kS16:
      return TensorProto::INT16;
    default:
      return TensorProto::UNDEFINED;
  }
}

int onnx_bits(int onnx_type) {
  return onnx_type == TensorProto::INT16 ? 16 : onnx_type == TensorProto::INT32 ? 32 : 8;
}

void put_integers(TensorProto& proto, std::span<const int64_t> elems) {
  std::string bytes;
  const int width = onnx_bits(proto.data_type()) / 8;
  for (int64_t elem : elems)
    for (int i = 0; i < width; ++i)
      bytes.push_back(static_cast<char>(static_cast<uint64_t>(elem) >> (8 * i)));
  proto.set_raw_data(std::move(bytes));
}

// The steps of a constant as the file has them, and their parameters there. A group's factor
// belongs to the scale; it goes into the steps, which take 16 bits then.
struct Steps {
  int onnx_type = TensorProto::INT8;
  std::vector<int64_t> elems;
  QuantParams quant;
};

Steps steps_of(const Tensor& tensor) {
  Steps steps{TensorProto::INT8, {}, *tensor.type().quant};
  const QuantParams& quant = *tensor.type().quant;
  const QuantIndex index(tensor.shape(), quant);
  for (int64_t i = 0; i < tensor.size(); ++i) {
    int64_t elem = tensor.integer_at(i);
    if (quant.group > 0)
      elem = (elem - quant.zero_point[quant.zero_point.size() == 1 ? 0 : index.channel(i)]) *
             quant.group_factor[index.run(i)];
    steps.elems.push_back(elem);
  }
  steps.quant.zero_point.resize(quant.scale.size(), quant.zero_point[0]);
  if (quant.group > 0) steps.quant.zero_point.assign(quant.scale.size(), 0);
  steps.quant.group = 0;
  if (tensor.dtype() == DType::kU8) steps.onnx_type = TensorProto::UINT8;
  if (tensor.dtype() == DType::kS16 || quant.group > 0) steps.onnx_type = TensorProto::INT16;
  if (tensor.dtype() == DType::kS32 || tensor.dtype() == DType::kS64)
    steps.onnx_type = TensorProto::INT32;
  return steps;
}

// DequantizeLinear takes 32-bit elements only without a zero point, and none of 64.
bool has_integer_form(const Steps& steps) {
  if (steps.onnx_type != TensorProto::INT32) return true;
  return std::ranges::all_of(steps.quant.zero_point, [](int32_t zero) { return zero == 0; }) &&
         std::ranges::all_of(steps.elems, [](int64_t elem) {
           return elem == static_cast<int64_t>(static_cast<int32_t>(elem));
         });
}

}  // namespace

Status OnnxExporter::check_value(ValueId id) const {
  const Value& value = graph_.value(id);
  const TensorType& type = value.type;
  if (type.dtype == DType::kF32) return {};
  constexpr std::string_view kAdvice = "write the model as .nibble, which holds all";
  if (!type.quant)
    return input_error(
        fmt::format("'{}' is {} without a scale; ONNX models are written with real "
                    "numbers and with integers that stand for such; {}",
                    value.name, dtype_name(type.dtype), kAdvice));
  if (!type.quant->per_tensor())
    return input_error(
        fmt::format("'{}' has a scale per channel; QuantizeLinear gives activations one; {}",
                    value.name, kAdvice));
  if (activation_type(type.dtype) == TensorProto::UNDEFINED)
    return input_error(fmt::format(
        "'{}' is {}; QuantizeLinear gives 8 and 16 bits; {}, or leave the value in float",
        value.name, dtype_name(type.dtype), kAdvice));
  return {};
}

ValueId OnnxExporter::resolved(ValueId id) const {
  const ValueId constant = stands_for_[static_cast<size_t>(id)];
  return constant == kNoValue ? id : constant;
}

// --- Activations.

std::vector<std::string> OnnxExporter::parameters(const std::string& name, const QuantParams& quant,
                                                  int onnx_type) {
  const auto count = static_cast<int64_t>(quant.scale.size());
  const Shape shape = quant.per_tensor() ? Shape{} : Shape{count};
  std::vector<std::string> names = {add_floats(fresh_name(name + "_scale"), shape, quant.scale)};
  if (onnx_type == TensorProto::INT32) return names;
  TensorProto& zero = *file_.add_initializer();
  zero.set_name(fresh_name(name + "_zero_point"));
  zero.set_data_type(onnx_type);
  for (int64_t extent : shape) zero.add_dims(extent);
  put_integers(zero, std::vector<int64_t>(quant.zero_point.begin(), quant.zero_point.end()));
  names.push_back(zero.name());
  return names;
}

std::string OnnxExporter::quantized(const std::string& real, ValueId id) {
  const Value& value = graph_.value(id);
  auto& names = parameters_[id];
  if (names.empty())
    names = parameters(value.name, *value.type.quant, activation_type(value.type.dtype));
  const std::string integers = take_name(value.name, "_quantized");
  add_node("QuantizeLinear", integers, {real, names[0], names[1]}, integers);
  const std::string result = fresh_name(value.name + "_dequantized");
  add_node("DequantizeLinear", result, {integers, names[0], names[1]}, result);
  return result;
}

// Clamped to what the activation and the value's grid allow, as far as the integer type in the file
// does not do so already. in_range: the operator gives no step that its operands do not have.
std::string OnnxExporter::limited(const std::string& real, ValueId id, const Bounds& act,
                                  bool in_range) {
  const Value& value = graph_.value(id);
  Bounds bounds = act;
  if (value.type.quant) {
    const QuantParams& quant = *value.type.quant;
    const bool is_unsigned = value.type.dtype == DType::kU8;
    const int bits = onnx_bits(activation_type(value.type.dtype));
    const int64_t type_min = is_unsigned ? 0 : -(int64_t{1} << (bits - 1));
    const int64_t type_max = type_min + (int64_t{1} << bits) - 1;
    const auto scale = static_cast<double>(quant.scale[0]);
    auto step = [&](float bound) {
      return std::round(static_cast<double>(bound) / scale) + quant.zero_point[0];
    };
    auto bound_of = [&](int64_t q) {
      return static_cast<float>(scale * static_cast<double>(q - quant.zero_point[0]));
    };
    const int64_t least = in_range ? type_min : quant.q_min;
    const int64_t most = in_range ? type_max : quant.q_max;
    if (step(act.min) <= quant.q_min)
      bounds.min = least > type_min ? bound_of(least) : Bounds{}.min;
    if (step(act.max) >= quant.q_max) bounds.max = most < type_max ? bound_of(most) : Bounds{}.max;
  }
  if (bounds.none()) return real;
  const std::string result = take_name(value.name, "_clamped");
  if (bounds == Bounds{0, std::numeric_limits<float>::infinity()}) {
    add_node("Relu", fresh_name(value.name + "_relu"), {real}, result);
    return result;
  }
  std::vector<std::string> inputs = {real, "", ""};
  if (std::isfinite(bounds.min))
    inputs[1] = add_floats(fresh_name(value.name + "_min"), {}, std::span(&bounds.min, 1));
  if (std::isfinite(bounds.max))
    inputs[2] = add_floats(fresh_name(value.name + "_max"), {}, std::span(&bounds.max, 1));
  if (inputs[2].empty()) inputs.pop_back();
  add_node("Clip", fresh_name(value.name + "_clip"), inputs, result);
  return result;
}

void OnnxExporter::hold(ValueId id, const std::string& real, const Perm& axes, const Bounds& act,
                        bool in_range) {
  Held& held = held_[static_cast<size_t>(id)];
  const std::string result = limited(real, id, act, in_range);
  held.real = result;
  held.real_axes = axes;
  const bool is_real = graph_.type(id).dtype == DType::kF32;
  held.tensors.emplace_back(axes, is_real ? result : quantized(result, id));
}

// Axis i of the result is axis axes[i] of the value; that of the source is from_axes[i].
std::string OnnxExporter::moved(const std::string& from, const Perm& from_axes, const Perm& axes,
                                ValueId id) {
  if (from_axes == axes) return from;
  const Value& value = graph_.value(id);
  const Perm perm = permuted(inverse(from_axes), axes);
  const Shape before = permuted(value.type.shape, from_axes);
  const bool is_real = value.type.dtype == DType::kF32;
  const std::string base = value.name + (is_real ? "_transposed" : "_real");
  const std::string result = fresh_name(base);
  if (moves_only_unit_axes(perm, before)) {
    const std::string shape =
        add_integers(fresh_name(result + "_shape"), permuted(value.type.shape, axes));
    add_node("Reshape", result, {from, shape}, result);
  } else {
    set_attribute(add_node("Transpose", result, {from}, result), "perm", perm);
  }
  return result;
}

// Behind a Transpose inside the file a value is quantized anew, at the outputs too: ONNX Runtime
// 1.30 moves a Transpose that stands between a DequantizeLinear and real numbers, and fails at that
// in files of opset 21.
std::string OnnxExporter::operand(ValueId id, const Perm& axes) {
  if (graph_.is_constant(resolved(id))) return constant_value(resolved(id), axes, axes.size());
  Held& held = held_[static_cast<size_t>(id)];
  for (const auto& [order, name] : held.tensors)
    if (order == axes) return name;
  std::string result;
  const bool is_real = graph_.type(id).dtype == DType::kF32;
  if (held.is_input && !is_real)
    result = quantized(limited(moved(held.real, held.real_axes, axes, id), id, {}, false), id);
  else
    result = moved(held.tensors[0].second, held.tensors[0].first, axes, id);
  if (!held.is_input && !is_real) result = quantized(result, id);
  held.tensors.emplace_back(axes, result);
  return result;
}

// --- Constants.

std::string OnnxExporter::constant(Tensor tensor, const std::string& name) {
  if (tensor.dtype() == DType::kF32)
    return add_floats(take_name(name, "_2"), tensor.shape(), tensor.data<float>());
  const Steps steps = steps_of(tensor);
  if (!has_integer_form(steps)) {
    const Tensor real = dequantize_tensor(tensor);
    return add_floats(take_name(name, "_2"), real.shape(), real.data<float>());
  }
  TensorProto& proto = *file_.add_initializer();
  proto.set_name(take_name(name, "_2"));
  proto.set_data_type(steps.onnx_type);
  for (int64_t extent : tensor.shape()) proto.add_dims(extent);
  put_integers(proto, steps.elems);
  std::vector<std::string> inputs = {proto.name()};
  for (std::string& parameter : parameters(name, steps.quant, steps.onnx_type))
    inputs.push_back(std::move(parameter));
  const std::string result = fresh_name(name + "_dequantized");
  onnx::NodeProto& node = add_node("DequantizeLinear", result, inputs, result);
  if (!steps.quant.per_tensor())
    set_attribute(node, "axis", static_cast<int64_t>(steps.quant.axis));
  return result;
}

std::string OnnxExporter::constant_value(ValueId id, const Perm& axes, size_t rank) {
  const auto [place, is_new] = constants_.try_emplace({id, axes});
  if (!is_new) return place->second;
  Tensor tensor = *graph_.value(id).constant;
  const size_t added = rank - tensor.shape().size();
  if (added > 0) {
    Shape shape = tensor.shape();
    shape.insert(shape.begin(), added, 1);
    std::optional<QuantParams> quant = tensor.type().quant;
    if (quant && !quant->per_tensor()) quant->axis += static_cast<int>(added);
    tensor.reshape(shape);
    tensor.set_quant(std::move(quant));
  }
  // Groups count along the graph's order of axes: their factors are multiplied in before it
  // changes.
  if (axes != identity_perm(rank)) {
    if (tensor.type().quant && tensor.type().quant->group > 0) {
      Steps steps = steps_of(tensor);
      Tensor wide(TensorType{tensor.shape(), DType::kS16, steps.quant});
      for (int64_t i = 0; i < wide.size(); ++i)
        wide.set_integer_at(i, steps.elems[static_cast<size_t>(i)]);
      tensor = std::move(wide);
    }
    tensor = transposed(tensor, axes);
  }
  return place->second = constant(std::move(tensor), graph_.value(id).name);
}

// Steps of the source's scale times the filter's, whatever scale an integer bias states itself.
std::string OnnxExporter::bias(ValueId id, const TensorType& src, const TensorType& filter) {
  if (!graph_.is_constant(id)) return operand(id, identity_perm(graph_.type(id).shape.size()));
  Tensor tensor = *graph_.value(id).constant;
  if (tensor.dtype() != DType::kF32 && src.quant && filter.quant) {
    QuantParams quant = *filter.quant;
    for (float& scale : quant.scale) scale *= src.quant->scale[0];
    quant.zero_point.assign(quant.scale.size(), 0);
    quant.axis = quant.per_tensor() ? -1 : 0;
    quant.group = 0;
    quant.codebook.clear();
    tensor.set_quant(std::move(quant));
  }
  return constant(std::move(tensor), graph_.value(id).name);
}

}  // namespace nibble
