// softmax: exp(beta src) normalised over the last axis. The integer form is TensorFlow Lite's
// fixed-point evaluation: exp of the difference to the largest element in Q5.26 -> Q0.31, summed in
// Q12.19, one reciprocal per row.
#include <algorithm>

#include "base/text.h"
#include "common/fixed_point.h"
#include "ops/arithmetic.h"
#include "ops/checks.h"

namespace nibble {
namespace {

constexpr float kScale = 1.0f / 256;
constexpr int32_t kZeroPoint = -128;
constexpr int64_t kMaxRowLen = 4095;  // a row of ones sums up to row_len * 2^19
constexpr int kDiffIntegerBits = 5;

struct SoftmaxScaling {
  int32_t multiplier = 0, exponent = 0;
  int32_t diff_min = 0;
};

// beta * scale * 2^26 as a fixed-point factor, and the smallest difference that it does not carry
// out of 32 bits. A factor beyond 2^31 is capped: then every element but the largest has share
// zero.
SoftmaxScaling softmax_scaling(const Softmax& op, const TensorType& in) {
  double factor = std::min(static_cast<double>(op.beta) * static_cast<double>(tensor_scale(in)) *
                               (1 << (31 - kDiffIntegerBits)),
                           0x1p31 - 1);
  // make_requant takes factors under 2^30.
  Requant half = make_requant(factor / 4);
  SoftmaxScaling scaling{half.multiplier, half.exponent + 2, 0};
  double radius = std::floor(((1 << kDiffIntegerBits) - 1) *
                             std::ldexp(1, 31 - kDiffIntegerBits - scaling.exponent));
  scaling.diff_min = -static_cast<int32_t>(std::min(radius, 256.0));
  // With diff_min 0 the only difference is 0, and the factor does not matter.
  if (scaling.diff_min == 0) scaling.exponent = 0;
  return scaling;
}

struct Rows {
  int64_t count = 1, len = 1;
};
Rows rows_of(const Shape& shape) {
  Rows rows;
  rows.len = shape.back();
  rows.count = elem_count(shape) / rows.len;
  return rows;
}

// exp(beta * scale * diff) in Q0.31; 0 for a difference too large to matter.
int32_t fixed_exp(const SoftmaxScaling& scaling, int32_t diff) {
  if (diff < scaling.diff_min) return 0;
  return nibble_exp_of_negative(nibble_requant_tflite(diff, scaling.multiplier, scaling.exponent),
                                kDiffIntegerBits);
}

void softmax_row(const SoftmaxScaling& scaling, std::span<const int8_t> src,
                 std::span<int8_t> dst) {
  int32_t max = *std::max_element(src.begin(), src.end());
  int64_t sum = 0;
  for (int8_t q : src) sum += nibble_rounding_shift_right(fixed_exp(scaling, q - max), 12);
  // sum = 2^(19 + doublings) * (1 + fraction)
  int doublings = 0;
  while (sum >> (20 + doublings)) ++doublings;
  auto fraction = static_cast<int32_t>((sum << (12 - doublings)) - (int64_t{1} << 31));
  int32_t reciprocal = nibble_one_over_one_plus(fraction);
  int32_t shift = 31 - 8 + doublings;
  for (size_t i = 0; i < src.size(); ++i) {
    int32_t share = nibble_doubling_high_mul(reciprocal, fixed_exp(scaling, src[i] - max));
    // A shift of 32 or more leaves less than half a step.
    int32_t q = shift > 31 ? 0 : nibble_rounding_shift_right(share, shift);
    dst[i] = static_cast<int8_t>(std::clamp(q - 128, -128, 127));
  }
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Softmax>::infer(const Softmax& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_min_rank(src, 1, "src"));
  if (!(op.beta > 0) || !std::isfinite(op.beta))
    return input_error(
        fmt::format("beta is {}, must be positive and finite", format_float(op.beta)));
  return std::vector<TensorType>{{src.shape, src.dtype, std::nullopt}};
}

template <>
Status OpDef<Softmax>::verify_integer(const Softmax&, Rounding, Operands in,
                                      const TensorType& out) {
  NIBBLE_TRY(check_s8(*in[0].type, "src"));
  NIBBLE_TRY(check_s8(out, "the output"));
  if (tensor_scale(out) != kScale || tensor_zero_point(out) != kZeroPoint)
    return input_error(
        fmt::format("the output has scale {} and zero point {}, integer softmax gives 1/256 and "
                    "-128; put a quantize behind it",
                    format_float(tensor_scale(out)), tensor_zero_point(out)));
  if (rows_of(in[0].type->shape).len > kMaxRowLen)
    return input_error(fmt::format("runs over {} elements, integer softmax takes {} at most",
                                   rows_of(in[0].type->shape).len, kMaxRowLen));
  return {};
}

template <>
void OpDef<Softmax>::run_float(const Softmax& op, Inputs in, Tensor& out) {
  Rows rows = rows_of(out.shape());
  const float* src = in[0]->data<float>().data();
  float* dst = out.mutable_data<float>().data();
  for (int64_t row = 0; row < rows.count; ++row, src += rows.len, dst += rows.len) {
    float max = *std::max_element(src, src + rows.len);
    float sum = 0;
    for (int64_t i = 0; i < rows.len; ++i) sum += dst[i] = std::exp((src[i] - max) * op.beta);
    for (int64_t i = 0; i < rows.len; ++i) dst[i] /= sum;
  }
}

template <>
void OpDef<Softmax>::run_integer(const Softmax& op, Rounding, Inputs in, Tensor& out) {
  Rows rows = rows_of(out.shape());
  SoftmaxScaling scaling = softmax_scaling(op, in[0]->type());
  auto src = in[0]->data<int8_t>();
  auto dst = out.mutable_data<int8_t>();
  auto len = static_cast<size_t>(rows.len);
  for (size_t row = 0; row < static_cast<size_t>(rows.count); ++row)
    softmax_row(scaling, src.subspan(row * len, len), dst.subspan(row * len, len));
}

template <>
QuantRule OpDef<Softmax>::quant_rule(const Softmax&) {
  return {QuantRule::Output::kFixed, kScale, kZeroPoint};
}

template <>
Result<std::vector<KernelRequest>> OpDef<Softmax>::lower(const Softmax& op, Rounding, Operands in,
                                                         const TensorType& out) {
  Rows rows = rows_of(out.shape);
  SoftmaxScaling scaling = softmax_scaling(op, *in[0].type);
  KernelRequest request;
  request.family = "softmax_s8";
  request.fields = {{"rows", rows.count},
                    {"row_len", rows.len},
                    {"multiplier", scaling.multiplier},
                    {"exponent", scaling.exponent},
                    {"diff_min", scaling.diff_min}};
  request.in_place = true;
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Softmax>::macs(const Softmax&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
