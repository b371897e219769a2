// What conv2d, depthwise_conv2d and dense share on integers: the checks of filter and bias, the
// proof per output channel that the accumulator fits, and the rescaling factors as TensorFlow Lite
// forms them.
#include <algorithm>

#include "base/text.h"
#include "common/output_s16.h"
#include "ops/checks.h"
#include "ops/integer_dot.h"

namespace nibble {
namespace {

// (q - zero_point) * group factor is multiplied as s16.
Status check_centred_weights(const Tensor& filter) {
  const QuantParams& quant = *filter.type().quant;
  // Of 8 bits and no group they cannot leave 16, unless a zero point is far off.
  const auto far = [](int64_t zero) { return std::abs(zero) > INT16_MAX / 2; };
  if (filter.dtype() == DType::kS8 && quant.group == 0 &&
      std::ranges::none_of(quant.zero_point, far))
    return {};
  const QuantIndex index(filter.shape(), quant);
  for (int64_t i = 0; i < filter.size(); ++i) {
    int64_t weight = filter.integer_at(i) - quant.zero_point[index.channel(i)];
    if (quant.group > 0) weight *= quant.group_factor[index.run(i)];
    if (std::abs(weight) > INT16_MAX)
      return input_error(fmt::format(
          "filter element {} is {} from its zero point with its group's factor, at most {} is "
          "possible",
          i, weight, INT16_MAX));
  }
  return {};
}

Status check_filter(const OperandInfo& filter, WeightLayer layer) {
  NIBBLE_TRY(check_constant(filter, "filter"));
  const TensorType& type = *filter.type;
  if (type.dtype != DType::kS8 && type.dtype != DType::kS16)
    return input_error(
        fmt::format("filter is {}; integer execution takes s8 or s16", dtype_name(type.dtype)));
  if (!type.quant)
    return input_error(fmt::format("filter is {} without scale", dtype_name(type.dtype)));
  const QuantParams& quant = *type.quant;
  auto channels = static_cast<size_t>(weight_channels(type, layer));
  if (!quant.per_tensor() && quant.axis != layer.channel_axis)
    return input_error(
        fmt::format("filter is quantized along axis {}, must be along its output channels, axis {}",
                    quant.axis, layer.channel_axis));
  if (quant.scale.size() != (quant.per_tensor() ? 1 : channels))
    return input_error(
        fmt::format("filter has {} scales, must have one, or one for each of {} channels",
                    quant.scale.size(), channels));
  for (float scale : quant.scale)
    if (!(scale >= 0) || !std::isfinite(scale))
      return input_error(
          fmt::format("filter has scale {}, must be positive and finite", format_float(scale)));
  return check_centred_weights(*filter.constant);
}

double channel_scale(const TensorType& filter, int64_t channel) {
  const auto& scale = filter.quant->scale;
  return static_cast<double>(scale[scale.size() == 1 ? 0 : static_cast<size_t>(channel)]);
}

double channel_factor(const TensorType& src, const TensorType& filter, const TensorType& out,
                      WeightLayer layer, int64_t channel) {
  auto out_scale = static_cast<double>(tensor_scale(out));
  if (layer.float_product && filter.quant->scale.size() == 1) {
    float product = tensor_scale(src) * filter.quant->scale[0];
    return static_cast<double>(product) / out_scale;
  }
  return static_cast<double>(tensor_scale(src)) * channel_scale(filter, channel) / out_scale;
}

// The integer arithmetic takes the bias as a multiple of src scale * filter scale, whatever its own
// type says: they may differ only by what does not show in the output.
Status check_bias_scale(const OperandInfo& bias, const TensorType& src, const TensorType& filter,
                        const TensorType& out) {
  if (!bias.type->quant) return {};
  const auto& scale = bias.type->quant->scale;
  auto count = static_cast<size_t>(bias.constant->size());
  if (scale.size() != 1 && scale.size() != count)
    return input_error(fmt::format("bias has {} scales for {} elements", scale.size(), count));
  for (size_t i = 0; i < count; ++i) {
    double stated = static_cast<double>(scale[scale.size() == 1 ? 0 : i]);
    double used =
        static_cast<double>(tensor_scale(src)) * channel_scale(filter, static_cast<int64_t>(i));
    auto elem = static_cast<double>(bias.constant->integer_at(static_cast<int64_t>(i)));
    double error = std::abs(stated - used) * std::abs(elem);
    if (!(error <= static_cast<double>(tensor_scale(out))))
      return input_error(
          fmt::format("bias of channel {} has scale {}, must have src scale * filter scale = {}", i,
                      format_double(stated), format_double(used)));
  }
  return {};
}

Status check_bias(const OperandInfo& bias, const TensorType& src, int64_t channels) {
  NIBBLE_TRY(check_constant(bias, "bias"));
  bool wide = bias.type->dtype == DType::kS64 && src.dtype == DType::kS16;
  if (bias.type->dtype != DType::kS32 && !wide)
    return input_error(fmt::format("bias is {}; integer execution takes s32{}",
                                   dtype_name(bias.type->dtype),
                                   src.dtype == DType::kS16 ? " or s64" : ""));
  if (elem_count(bias.type->shape) != channels)
    return input_error(fmt::format("bias has {} elements for {} output channels",
                                   elem_count(bias.type->shape), channels));
  return {};
}

Tensor as_s64(const Tensor& integers) {
  Tensor result(TensorType{integers.shape(), DType::kS64, std::nullopt});
  for (int64_t i = 0; i < integers.size(); ++i) result.set_integer_at(i, integers.integer_at(i));
  return result;
}

// |value|, at most kHuge, which no accumulator may reach: sums of two still fit 64 bits.
int64_t magnitude(int64_t value) {
  constexpr int64_t kHuge = int64_t{1} << 60;
  return std::abs(std::clamp(value, -kHuge, kHuge));
}

std::vector<int64_t> accumulator_bounds(Operands in, WeightLayer layer) {
  const Tensor& filter = *in[1].constant;
  int64_t channels = weight_channels(filter.type(), layer);
  std::vector<int64_t> bounds(static_cast<size_t>(channels), 0);
  int64_t inner = 1;
  for (size_t axis = static_cast<size_t>(layer.channel_axis) + 1; axis < filter.shape().size();
       ++axis)
    inner *= filter.shape()[axis];
  const std::vector<int16_t> weights = centred_weights(filter);
  for (auto weight = weights.begin(); weight != weights.end();)
    for (int64_t& bound : bounds)
      for (const auto end = weight + inner; weight != end; ++weight)
        bound += std::abs(int64_t{*weight});
  for (int64_t& bound : bounds) bound *= max_abs_centred(*in[0].type);
  if (has_operand(in, 2)) {
    for (size_t i = 0; i < bounds.size(); ++i)
      bounds[i] += magnitude(in[2].constant->integer_at(static_cast<int64_t>(i)));
  }
  return bounds;
}

// What 64-bit accumulators and their rescaling demand (kernels/common/requant.h).
Status check_wide_accumulator(int64_t bound, Requant reduced, size_t channel) {
  constexpr int64_t kLimit = int64_t{1} << 47;
  if (bound >= kLimit)
    return input_error(
        fmt::format("the accumulator of output channel {} can reach {}, its rescaling takes less "
                    "than 2^47; the bias is too large",
                    channel, with_thousands(bound)));
  if (reduced.exponent > 7)
    return input_error(fmt::format(
        "output channel {} is rescaled by 2^{}, at most 2^7 is possible; its output scale is too "
        "small",
        channel, reduced.exponent));
  int shift = 15 - reduced.exponent;
  if ((bound * reduced.multiplier >> shift) >= INT32_MAX - 1)
    return input_error(fmt::format(
        "the accumulator of output channel {} can reach {} and is rescaled by 2^{}, which "
        "overflows 32 bits; its output scale is too small",
        channel, with_thousands(bound), reduced.exponent));
  return {};
}

}  // namespace

int64_t weight_channels(const TensorType& filter, WeightLayer layer) {
  return filter.shape[static_cast<size_t>(layer.channel_axis)];
}

Status verify_weight_layer(Operands in, const TensorType& out, WeightLayer layer,
                           Rounding rounding) {
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_activations(src, out));
  NIBBLE_TRY(check_filter(in[1], layer));
  const TensorType& filter = *in[1].type;
  int64_t channels = weight_channels(filter, layer);
  if (has_operand(in, 2)) {
    NIBBLE_TRY(check_bias(in[2], src, channels));
    NIBBLE_TRY(check_bias_scale(in[2], src, filter, out));
  }
  for (int64_t i = 0; i < channels; ++i)
    NIBBLE_TRY(check_factor(channel_factor(src, filter, out, layer, i),
                            "src scale * filter scale / output scale"));
  int32_t code = weight_rounding(src, has_operand(in, 2) ? in[2].type : nullptr, rounding);
  auto requants = requants_for(code, weight_requants(src, filter, out, layer));
  auto bounds = accumulator_bounds(in, layer);
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (code == NIBBLE_ROUNDING_REDUCED)
      NIBBLE_TRY(check_wide_accumulator(bounds[i], requants[i], i));
    else
      NIBBLE_TRY(check_accumulator(bounds[i], requants[i], rounding,
                                   fmt::format(" of output channel {}", i)));
  }
  return {};
}

int32_t weight_rounding(const TensorType& src, const TensorType* bias, Rounding rounding) {
  bool wide = bias ? bias->dtype == DType::kS64 : rounding == Rounding::kTflite;
  return src.dtype == DType::kS16 && wide ? static_cast<int32_t>(NIBBLE_ROUNDING_REDUCED)
                                          : rounding_code(rounding);
}

std::vector<Requant> requants_for(int32_t rounding_code, std::vector<Requant> requants) {
  if (rounding_code != NIBBLE_ROUNDING_REDUCED) return requants;
  // The upper half of the multiplier, rounded; it must not become 2^15.
  for (Requant& requant : requants)
    requant.multiplier =
        requant.multiplier < 0x7FFF0000 ? (requant.multiplier + (1 << 15)) >> 16 : 0x7FFF;
  return requants;
}

std::vector<Requant> weight_requants(const TensorType& src, const TensorType& filter,
                                     const TensorType& out, WeightLayer layer) {
  int64_t channels = weight_channels(filter, layer);
  std::vector<Requant> requants;
  requants.reserve(static_cast<size_t>(channels));
  for (int64_t i = 0; i < channels; ++i)
    requants.push_back(make_requant(channel_factor(src, filter, out, layer, i)));
  return requants;
}

std::pair<Tensor, Tensor> requant_tensors(std::span<const Requant> requants) {
  std::vector<int32_t> multiplier;
  std::vector<int8_t> exponent;
  for (const Requant& requant : requants) {
    multiplier.push_back(requant.multiplier);
    exponent.push_back(requant.exponent);
  }
  Shape shape{static_cast<int64_t>(requants.size())};
  return {Tensor::of<int32_t>(shape, DType::kS32, multiplier),
          Tensor::of<int8_t>(shape, DType::kS8, exponent)};
}

ChannelConstants channel_constants(Inputs in, const TensorType& out, WeightLayer layer) {
  const TensorType& filter = in[1]->type();
  ChannelConstants constants;
  constants.requants = weight_requants(in[0]->type(), filter, out, layer);
  constants.bias.assign(constants.requants.size(), 0);
  if (in.size() > 2 && in[2]) {
    for (size_t i = 0; i < constants.bias.size(); ++i)
      constants.bias[i] = in[2]->integer_at(static_cast<int64_t>(i));
  }
  return constants;
}

WideOutput::WideOutput(Inputs in, const TensorType& out, const Bounds& act, Rounding rounding,
                       const ChannelConstants& channels)
    : rounding_code_(weight_rounding(in[0]->type(),
                                     in.size() > 2 && in[2] ? &in[2]->type() : nullptr, rounding)),
      range_(activation_range(act, out)),
      requants_(requants_for(rounding_code_, channels.requants)) {}

int16_t* WideOutput::write(std::span<const int64_t> acc, int16_t* to) const {
  for (size_t i = 0; i < acc.size(); ++i)
    *to++ = nibble_output_s16(acc[i], requants_[i].multiplier, requants_[i].exponent,
                              rounding_code_, range_.min, range_.max);
  return to;
}

QuantRule weight_quant_rule(WeightLayer layer) {
  QuantRule rule;
  rule.weight = 1;
  rule.weight_channel_axis = layer.channel_axis;
  rule.bias = 2;
  return rule;
}

KernelRequest weight_request(const std::string& base, Operands in, const TensorType& out,
                             const Bounds& act, Rounding rounding, WeightLayer layer) {
  const TensorType& src = *in[0].type;
  bool wide = src.dtype == DType::kS16;
  int32_t code = weight_rounding(src, has_operand(in, 2) ? in[2].type : nullptr, rounding);
  KernelRequest request;
  request.family = base + (wide ? "_s16s8" : "_s8");
  if (wide)
    add_symmetric_output_fields(request, out, act, code);
  else
    add_output_fields(request, src, out, act, rounding);
  auto [multiplier, exponent] =
      requant_tensors(requants_for(code, weight_requants(src, *in[1].type, out, layer)));
  request.constants.emplace_back("filter", *in[1].constant);
  if (has_operand(in, 2))
    request.constants.emplace_back("bias", wide ? as_s64(*in[2].constant) : *in[2].constant);
  request.constants.emplace_back("multiplier", std::move(multiplier));
  request.constants.emplace_back("exponent", std::move(exponent));
  return request;
}

}  // namespace nibble
