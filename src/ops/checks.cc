// Operand checks and the accumulator proof, shared by the operators.
#include "ops/checks.h"

#include <algorithm>
#include <bit>

#include "base/text.h"
#include "common/requant.h"

namespace nibble {
namespace {

// Positions along an axis plus padding, and offsets into a tensor, stay within 32 bits in the
// kernels.
constexpr int64_t kMaxKernelElems = int64_t{1} << 30;
constexpr int64_t kMaxAttribute = int64_t{1} << 24;

bool optional_name(std::string_view name) { return name.starts_with('['); }

}  // namespace

bool has_operand(Operands in, size_t index) { return index < in.size() && in[index].type; }

Status check_operands(Operands in, std::initializer_list<std::string_view> names) {
  std::string wanted;
  for (std::string_view name : names) wanted += (wanted.empty() ? "" : ", ") + std::string(name);
  if (in.size() > names.size())
    return input_error(fmt::format("has {} operands, takes {}", in.size(), wanted));
  size_t index = 0;
  for (std::string_view name : names) {
    if (!optional_name(name) && !has_operand(in, index))
      return input_error(fmt::format("operand {} is missing; it takes {}", name, wanted));
    if (has_operand(in, index)) NIBBLE_TRY(check_extents(in[index].type->shape, name));
    ++index;
  }
  return {};
}

Status check_rank(const TensorType& type, size_t rank, std::string_view name) {
  if (type.shape.size() == rank) return {};
  return input_error(fmt::format("{} has shape {} of rank {}, must have rank {}", name,
                                 format_shape(type.shape), type.shape.size(), rank));
}

Status check_min_rank(const TensorType& type, size_t rank, std::string_view name) {
  if (type.shape.size() >= rank) return {};
  return input_error(fmt::format("{} has shape {} of rank {}, must have rank {} or more", name,
                                 format_shape(type.shape), type.shape.size(), rank));
}

Status check_same_kind(const TensorType& a, std::string_view a_name, const TensorType& b,
                       std::string_view b_name) {
  if ((a.dtype == DType::kF32) == (b.dtype == DType::kF32)) return {};
  return input_error(fmt::format(
      "{} is {} and {} is {}; both must be f32, or both integers (dequantize one of them)", a_name,
      dtype_name(a.dtype), b_name, dtype_name(b.dtype)));
}

Status check_extents(const Shape& shape, std::string_view name) {
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 1)
      return input_error(fmt::format("{} has shape {}; every extent must be 1 or more", name,
                                     format_shape(shape)));
    if (extent >= kMaxKernelElems || count * extent >= kMaxKernelElems)
      return input_error(fmt::format("{} has shape {}; it must have fewer than 2^30 elements", name,
                                     format_shape(shape)));
    count *= extent;
  }
  return {};
}

Result<int64_t> window_extent(int64_t in, int64_t k, int64_t stride, int64_t dilation,
                              int64_t pad_before, int64_t pad_after, std::string_view axis) {
  auto in_range = [](int64_t value, int64_t low) { return value >= low && value <= kMaxAttribute; };
  if (!in_range(k, 1) || !in_range(stride, 1) || !in_range(dilation, 1) ||
      !in_range(pad_before, 0) || !in_range(pad_after, 0))
    return input_error(
        fmt::format("along {} the window has extent {}, stride {}, dilation {}, padding {} and {}; "
                    "extent, stride "
                    "and dilation must be 1 or more, padding 0 or more, all at most 2^24",
                    axis, k, stride, dilation, pad_before, pad_after));
  int64_t reach = (k - 1) * dilation + 1;
  int64_t padded = in + pad_before + pad_after;
  if (reach > padded)
    return input_error(fmt::format(
        "along {} the window spans {} elements, the padded input only {} ({} + {} + {})", axis,
        reach, padded, in, pad_before, pad_after));
  return (padded - reach) / stride + 1;
}

Result<std::pair<int64_t, int64_t>> window_extents(const Shape& src, int64_t k_h, int64_t k_w,
                                                   const Window& window) {
  NIBBLE_ASSIGN(int64_t out_h, window_extent(src[1], k_h, window.stride_h, window.dilation_h,
                                             window.pad_top, window.pad_bottom, "the height"));
  NIBBLE_ASSIGN(int64_t out_w, window_extent(src[2], k_w, window.stride_w, window.dilation_w,
                                             window.pad_left, window.pad_right, "the width"));
  NIBBLE_TRY(check_extents({src[0], src[1] + window.pad_top + window.pad_bottom,
                            src[2] + window.pad_left + window.pad_right, src[3]},
                           "the padded src"));
  return std::pair{out_h, out_w};
}

Status check_per_tensor(const TensorType& type, std::string_view name) {
  if (!is_integer(type.dtype) || dtype_bits(type.dtype) > 32)
    return input_error(fmt::format("{} is {}, must be an integer of at most 32 bits", name,
                                   dtype_name(type.dtype)));
  if (!type.quant)
    return input_error(
        fmt::format("{} is {} without scale and zero point", name, dtype_name(type.dtype)));
  const QuantParams& quant = *type.quant;
  if (!quant.per_tensor() || quant.scale.size() != 1 || quant.zero_point.size() != 1)
    return input_error(fmt::format(
        "{} is quantized per channel (axis {}); activations must be quantized per tensor", name,
        quant.axis));
  if (!(quant.scale[0] > 0) || !std::isfinite(quant.scale[0]))
    return input_error(fmt::format("{} has scale {}, must be positive and finite", name,
                                   format_float(quant.scale[0])));
  if (quant.q_min < dtype_min(type.dtype) || quant.q_max > dtype_max(type.dtype) ||
      quant.q_min > quant.q_max)
    return input_error(fmt::format("{} has the range [{}, {}], must lie within {}", name,
                                   quant.q_min, quant.q_max, dtype_name(type.dtype)));
  if (quant.zero_point[0] < dtype_min(type.dtype) || quant.zero_point[0] > dtype_max(type.dtype))
    return input_error(fmt::format("{} has zero point {}, must be a value of {}", name,
                                   quant.zero_point[0], dtype_name(type.dtype)));
  return {};
}

Status check_s8(const TensorType& type, std::string_view name) {
  if (type.dtype != DType::kS8)
    return input_error(fmt::format("{} is {}; integer execution of this operator takes s8", name,
                                   dtype_name(type.dtype)));
  return check_per_tensor(type, name);
}

Status check_activation(const TensorType& type, std::string_view name) {
  if (type.dtype != DType::kS8 && type.dtype != DType::kS16)
    return input_error(
        fmt::format("{} is {}; integer execution of this operator takes s8, or s16 of zero point 0",
                    name, dtype_name(type.dtype)));
  NIBBLE_TRY(check_per_tensor(type, name));
  if (type.dtype == DType::kS16 && tensor_zero_point(type) != 0)
    return input_error(
        fmt::format("{} is s16 with zero point {}, must be 0: 16-bit activations are symmetric",
                    name, tensor_zero_point(type)));
  return {};
}

Status check_activations(const TensorType& src, const TensorType& out) {
  NIBBLE_TRY(check_activation(src, "src"));
  NIBBLE_TRY(check_activation(out, "output"));
  if (src.dtype == out.dtype) return {};
  return input_error(
      fmt::format("src is {} and its output {}; they must be the same, put a quantize behind it",
                  dtype_name(src.dtype), dtype_name(out.dtype)));
}

std::string family_of(std::string_view base, const TensorType& type) {
  return fmt::format("{}_{}", base, dtype_name(type.dtype));
}

Status check_same_quant(const TensorType& src, const TensorType& out) {
  if (src.dtype != out.dtype)
    return input_error(fmt::format("src is {} and its output {}; they must be the same",
                                   dtype_name(src.dtype), dtype_name(out.dtype)));
  if (src.quant.has_value() != out.quant.has_value())
    return input_error("only one of src and output has scale and zero point");
  if (src.quant &&
      (src.quant->scale != out.quant->scale || src.quant->zero_point != out.quant->zero_point))
    return input_error(fmt::format(
        "src has scale {} and zero point {}, its output scale {} and zero point {}; this operator "
        "keeps them, put a quantize behind it",
        format_float(src.quant->scale.at(0)), src.quant->zero_point.at(0),
        format_float(out.quant->scale.at(0)), out.quant->zero_point.at(0)));
  return {};
}

Status check_constant(const OperandInfo& operand, std::string_view name) {
  if (operand.constant) return {};
  return input_error(fmt::format("{} is computed at run time, must be a constant", name));
}

Status check_bias_operand(const TensorType& bias, int64_t channels, const TensorType& filter) {
  NIBBLE_TRY(check_same_kind(filter, "filter", bias, "bias"));
  if (elem_count(bias.shape) != channels)
    return input_error(fmt::format("bias has shape {}, must have one value for each of {} channels",
                                   format_shape(bias.shape), channels));
  return {};
}

int64_t max_abs_centred(const TensorType& type) {
  int64_t zero_point = tensor_zero_point(type);
  return std::max(std::abs(type.quant->q_min - zero_point),
                  std::abs(type.quant->q_max - zero_point));
}

Status check_factor(double factor, std::string_view what) {
  if (std::isfinite(factor) && factor >= 0 && factor < 0x1p30) return {};
  return input_error(fmt::format("{} is {}, must be under 2^30", what, format_double(factor)));
}

Status check_accumulator(int64_t bound, Requant requant, Rounding rounding,
                         std::string_view where) {
  // Room for the zero point, which is added last.
  constexpr int64_t kLimit = INT32_MAX - (1 << 16);
  if (bound > kLimit)
    return input_error(fmt::format(
        "the accumulator{} can reach {}, 32 bits hold {}; split the layer or quantize its weights "
        "with a larger scale",
        where, with_thousands(bound), with_thousands(kLimit)));
  // A positive exponent shifts left before (tflite) or within (single) the multiplication; either
  // way the result is bounded by bound * 2^exponent.
  int shift = std::max<int>(requant.exponent, 0);
  if ((bound << shift) > kLimit || (rounding == Rounding::kSingle && shift > 30))
    return input_error(
        fmt::format("the accumulator{} can reach {} and is rescaled by 2^{}, which overflows 32 "
                    "bits; its output "
                    "scale is too small",
                    where, with_thousands(bound), shift));
  return {};
}

int64_t float_field(float value) { return std::bit_cast<int32_t>(value); }

void add_window_fields(KernelRequest& request, const Window& window) {
  request.fields.insert(request.fields.end(), {{"stride_h", window.stride_h},
                                               {"stride_w", window.stride_w},
                                               {"dilation_h", window.dilation_h},
                                               {"dilation_w", window.dilation_w},
                                               {"pad_top", window.pad_top},
                                               {"pad_left", window.pad_left}});
}

void add_output_fields(KernelRequest& request, const TensorType& src, const TensorType& out,
                       const Bounds& act, Rounding rounding) {
  ClampRange range = activation_range(act, out);
  request.fields.insert(request.fields.end(), {{"in_zero", tensor_zero_point(src)},
                                               {"out_zero", tensor_zero_point(out)},
                                               {"act_min", range.min},
                                               {"act_max", range.max},
                                               {"rounding", rounding_code(rounding)}});
}

void add_symmetric_output_fields(KernelRequest& request, const TensorType& out, const Bounds& act,
                                 int32_t rounding_code) {
  ClampRange range = activation_range(act, out);
  request.fields.insert(
      request.fields.end(),
      {{"act_min", range.min}, {"act_max", range.max}, {"rounding", rounding_code}});
}

int32_t rounding_code(Rounding rounding) {
  return rounding == Rounding::kSingle ? NIBBLE_ROUNDING_SINGLE : NIBBLE_ROUNDING_TFLITE;
}

}  // namespace nibble
