// The integer arithmetic of add and sub as TensorFlow Lite defines it:
//   twice = 2 max(s_lhs, s_rhs)
//   sum = (lhs - z_lhs) 2^h s_lhs / twice +- (rhs - z_rhs) 2^h s_rhs / twice
//   out = clamp(sum twice / (2^h s_out) + z_out)
// each factor in fixed point, each product rounded; h is 20 for s8 and 15 for s16.
#include "ops/add_sub.h"

#include <algorithm>

#include "base/text.h"
#include "ops/checks.h"

namespace nibble {
namespace {

int headroom_bits(const TensorType& type) { return type.dtype == DType::kS16 ? 15 : 20; }

struct AddFactors {
  double lhs = 0, rhs = 0, out = 0;
};

// The factors of an addition are formed in double, those of a subtraction of s8 in float, as
// TensorFlow Lite Micro does; the last bit of the multipliers depends on it. For s16 there are
// recorded outputs of TensorFlow Lite, which takes double for both.
template <class Real>
AddFactors add_factors_in(Real lhs, Real rhs, Real out, int headroom) {
  const Real twice = 2 * std::max(lhs, rhs);
  return {static_cast<double>(lhs / twice), static_cast<double>(rhs / twice),
          static_cast<double>(twice / (static_cast<Real>(1 << headroom) * out))};
}

AddFactors add_factors(AddKind kind, const TensorType& lhs, const TensorType& rhs,
                       const TensorType& out) {
  float a = tensor_scale(lhs), b = tensor_scale(rhs), c = tensor_scale(out);
  int headroom = headroom_bits(out);
  return kind == AddKind::kAdd || out.dtype == DType::kS16
             ? add_factors_in<double>(a, b, c, headroom)
             : add_factors_in<float>(a, b, c, headroom);
}

int32_t add_elem(const AddScaling& s, int32_t lhs, int32_t rhs) {
  int32_t rounding = rounding_code(s.rounding);
  auto scaled = [&](int32_t centred, Requant requant) {
    return nibble_requant(centred * (1 << s.headroom_bits), requant.multiplier, requant.exponent,
                          rounding);
  };
  int32_t sum = scaled(lhs - s.lhs_zero, s.lhs) + s.rhs_sign * scaled(rhs - s.rhs_zero, s.rhs);
  return rescale(sum, s.out, s.rounding, s.out_zero, s.act);
}

}  // namespace

AddScaling add_scaling(AddKind kind, const Bounds& act, Rounding rounding, const TensorType& lhs,
                       const TensorType& rhs, const TensorType& out) {
  AddFactors factors = add_factors(kind, lhs, rhs, out);
  AddScaling scaling;
  scaling.headroom_bits = headroom_bits(out);
  scaling.lhs = make_requant(factors.lhs);
  scaling.rhs = make_requant(factors.rhs);
  scaling.out = make_requant(factors.out);
  scaling.lhs_zero = tensor_zero_point(lhs);
  scaling.rhs_zero = tensor_zero_point(rhs);
  scaling.out_zero = tensor_zero_point(out);
  scaling.rhs_sign = kind == AddKind::kSub ? -1 : 1;
  scaling.act = activation_range(act, out);
  scaling.rounding = rounding;
  return scaling;
}

Status verify_add(AddKind kind, Operands in, const TensorType& out) {
  NIBBLE_TRY(verify_binary(in, out));
  float lhs = tensor_scale(*in[0].type), rhs = tensor_scale(*in[1].type);
  AddFactors factors = add_factors(kind, *in[0].type, *in[1].type, out);
  // From 1 on, every step of an input would be more than 2^headroom steps of the output. Scales
  // near the end of float's range overflow on the way.
  if (factors.out < 1 && std::isfinite(factors.lhs) && std::isfinite(factors.rhs)) return {};
  return input_error(
      fmt::format("inputs of scale {} and {} do not go into an output of scale {}; it must be more "
                  "than 2^-{} of the larger",
                  format_float(lhs), format_float(rhs), format_float(tensor_scale(out)),
                  headroom_bits(out) - 1));
}

void run_add(const AddScaling& scaling, Inputs in, Tensor& out) {
  if (out.dtype() == DType::kS16)
    combine_broadcast<int16_t>(*in[0], *in[1], out, [&](int16_t lhs, int16_t rhs) {
      return static_cast<int16_t>(add_elem(scaling, lhs, rhs));
    });
  else
    combine_broadcast<int8_t>(*in[0], *in[1], out, [&](int8_t lhs, int8_t rhs) {
      return static_cast<int8_t>(add_elem(scaling, lhs, rhs));
    });
}

Result<std::vector<KernelRequest>> lower_add(AddKind kind, const Bounds& act, Rounding rounding,
                                             Operands in, const TensorType& out) {
  bool swapped = false;
  NIBBLE_ASSIGN(KernelRequest request, binary_request("add", in, kind == AddKind::kAdd, &swapped));
  AddScaling s = add_scaling(kind, act, rounding, *in[0].type, *in[1].type, out);
  if (swapped) {
    std::swap(s.lhs, s.rhs);
    std::swap(s.lhs_zero, s.rhs_zero);
  }
  if (out.dtype == DType::kS8)
    request.fields.insert(
        request.fields.end(),
        {{"lhs_zero", s.lhs_zero}, {"rhs_zero", s.rhs_zero}, {"out_zero", s.out_zero}});
  request.fields.insert(request.fields.end(), {{"lhs_multiplier", s.lhs.multiplier},
                                               {"lhs_exponent", s.lhs.exponent},
                                               {"rhs_multiplier", s.rhs.multiplier},
                                               {"rhs_exponent", s.rhs.exponent},
                                               {"rhs_sign", s.rhs_sign},
                                               {"out_multiplier", s.out.multiplier},
                                               {"out_exponent", s.out.exponent},
                                               {"act_min", s.act.min},
                                               {"act_max", s.act.max},
                                               {"rounding", rounding_code(rounding)}});
  return std::vector{std::move(request)};
}

}  // namespace nibble
