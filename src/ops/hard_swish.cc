// hard_swish: out = src * clamp(src / 6 + 1/2, 0, 1). The integer form is TensorFlow Lite's, in
// 16-bit fixed point with its saturations and truncation; parameters outside what that covers get
// the nearest value of the real function.
#include <algorithm>

#include "ops/lookup.h"

namespace nibble {
namespace {

// A factor multiplier * 2^(exponent - 15).
struct Requant16 {
  int16_t multiplier = 0;
  int exponent = 0;
};

Requant16 make_requant16(double factor) {
  Requant wide = make_requant(factor);
  int32_t rounded =
      wide.multiplier >= INT32_MAX - (1 << 15) ? INT16_MAX : (wide.multiplier + (1 << 15)) >> 16;
  return {static_cast<int16_t>(rounded), wide.exponent};
}

int16_t saturate16(int32_t x) { return static_cast<int16_t>(std::clamp(x, -32768, 32767)); }

// a * b * 2^-15, ties away from zero for positive, towards zero for negative products. Not both are
// -32768.
int16_t rounding_doubling_high_mul16(int16_t a, int16_t b) {
  int32_t product = a * b;
  int32_t nudge = product >= 0 ? (1 << 14) : 1 - (1 << 14);
  return static_cast<int16_t>((product + nudge) / (1 << 15));
}

// a * b * 2^-15 towards zero: its bias cancels that of the rounding products before it.
int16_t doubling_high_mul16(int16_t a, int16_t b) {
  return static_cast<int16_t>(a * b / (1 << 15));
}

// s_in / 128 in units of s_out and of 3/32768 (so that 32768 is the real 3), in float arithmetic.
struct HardSwishFactors {
  double output = 0, reluish = 0;
};
HardSwishFactors hard_swish_factors(const TensorType& in, const TensorType& out) {
  const float hires_scale = (1.0f / 128.0f) * tensor_scale(in);
  const float reluish_scale = 3.0f / 32768.0f;
  return {static_cast<double>(hires_scale / tensor_scale(out)),
          static_cast<double>(hires_scale / reluish_scale)};
}

// Where the 16-bit evaluation is defined: no left shift of the output, no right shift by more bits
// than there are.
bool fits_16_bits(HardSwishFactors factors) {
  return factors.output < 1 && factors.output >= 0x1p-15 && factors.reluish >= 0x1p-15 &&
         factors.reluish < 0x1p15;
}

int32_t hard_swish_of_16_bits(int32_t centred, Requant16 output, Requant16 reluish) {
  auto hires = static_cast<int16_t>(centred * 128);
  int16_t on_output_scale = rounding_doubling_high_mul16(hires, output.multiplier);
  // The gate: src in [-3, 3] as [-1, 1], saturating. Of a left shift all bits but one come first,
  // so that a saturation that matters happens at the last one.
  int16_t gate = hires;
  if (reluish.exponent > 0) gate = saturate16(gate * (1 << (reluish.exponent - 1)));
  gate = rounding_doubling_high_mul16(gate, reluish.multiplier);
  if (reluish.exponent > 0) gate = saturate16(gate * 2);
  if (reluish.exponent < 0)
    gate = static_cast<int16_t>(nibble_rounding_shift_right(gate, -reluish.exponent));
  gate = static_cast<int16_t>((gate + (1 << 15)) >> 1);  // [-1, 1] to [0, 1]
  return nibble_rounding_shift_right(doubling_high_mul16(gate, on_output_scale), -output.exponent);
}

ScalarFunction integer_function(const HardSwish&, Rounding, const TensorType& in,
                                const TensorType& out) {
  HardSwishFactors factors = hard_swish_factors(in, out);
  if (!fits_16_bits(factors))
    return nearest_function([](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }, in,
                            out);
  Requant16 output = make_requant16(factors.output), reluish = make_requant16(factors.reluish);
  int32_t in_zero = tensor_zero_point(in), out_zero = tensor_zero_point(out);
  int32_t low = out.quant->q_min, high = out.quant->q_max;
  return [=](int32_t q) {
    return nibble_clamp(hard_swish_of_16_bits(q - in_zero, output, reluish) + out_zero, low, high);
  };
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<HardSwish>::infer(const HardSwish&, Operands in) {
  return infer_unary(in);
}

template <>
Status OpDef<HardSwish>::verify_integer(const HardSwish&, Rounding, Operands in,
                                        const TensorType& out) {
  return verify_unary_s8(in, out);
}

template <>
void OpDef<HardSwish>::run_float(const HardSwish&, Inputs in, Tensor& out) {
  run_unary_float(*in[0], out,
                  [](float x) { return x * std::min(std::max(x + 3, 0.0f), 6.0f) / 6; });
}

template <>
void OpDef<HardSwish>::run_integer(const HardSwish& op, Rounding rounding, Inputs in, Tensor& out) {
  run_lookup(integer_function(op, rounding, in[0]->type(), out.type()), *in[0], out);
}

template <>
QuantRule OpDef<HardSwish>::quant_rule(const HardSwish&) {
  return {};
}

template <>
Result<std::vector<KernelRequest>> OpDef<HardSwish>::lower(const HardSwish& op, Rounding rounding,
                                                           Operands in, const TensorType& out) {
  return std::vector{lookup_request(integer_function(op, rounding, *in[0].type, out), *in[0].type)};
}

template <>
int64_t OpDef<HardSwish>::macs(const HardSwish&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
