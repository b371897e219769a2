// softmax: exp(beta src) normalised over the last axis. The integer form is TensorFlow Lite's
// fixed-point evaluation: exp of the difference to the largest element in Q5.26 -> Q0.31, summed in
// Q12.19, one reciprocal per row; for s16 its evaluation by two tables
// (kernels/softmax/softmax_s16.h).
#include <algorithm>

#include "base/text.h"
#include "common/fixed_point.h"
#include "ops/arithmetic.h"
#include "ops/checks.h"
#include "softmax/softmax_rows_s16.h"

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

// --- s16
constexpr int64_t kMaxWideRowLen = 65'535;
constexpr float kWideScale = 1.0f / 32768;

// A table of 512 steps over the 65536 values of s16, in float as TensorFlow Lite fills it: each
// entry is moved by half of what the line to the next one misses in the middle.
Tensor wide_table(float in_scale, int32_t in_zero, float (*real)(float)) {
  constexpr int kSteps = 512;
  const float out_scale = 2.0f / 65535;
  const float in_min = in_scale * static_cast<float>(INT16_MIN - in_zero);
  const float in_max = in_scale * static_cast<float>(INT16_MAX - in_zero);
  const float step = (in_max - in_min) / kSteps;
  const float half_step = step / 2;
  const float scaling = 65536.0f / (out_scale * INT16_MAX - out_scale * INT16_MIN);
  auto entry = [](float value) {
    return static_cast<int16_t>(std::min(std::max(value, -32768.0f), 32767.0f));
  };
  std::vector<int16_t> table;
  for (int i = 0; i < kSteps; ++i) {
    const auto at = static_cast<float>(i);
    const float value = std::round(real(in_min + at * step) * scaling);
    const float middle = std::round(real(in_min + at * step + half_step) * scaling);
    const float next = real(in_min + (at + 1) * step) * scaling;
    const float between = std::round((next + value) / 2);
    table.push_back(entry(value - std::round((between - middle) / 2)));
  }
  table.push_back(entry(std::round(real(in_max) * scaling)));
  return Tensor::of<int16_t>({kSteps + 1}, DType::kS16, table);
}

struct WideSoftmax {
  Tensor exp_table, reciprocal_table;
  Requant requant;
};

// exp over [-10, 0], 1 / (1 + x) over [0, 1].
double wide_factor(const Softmax& op, const TensorType& in) {
  return static_cast<double>(tensor_scale(in)) * static_cast<double>(op.beta) / (10.0 / 65535);
}
WideSoftmax wide_softmax(const Softmax& op, const TensorType& in) {
  return {wide_table(10.0f / 65535, INT16_MAX, [](float x) { return std::exp(x); }),
          wide_table(1.0f / 65535, INT16_MIN, [](float x) { return 1.0f / (1.0f + x); }),
          make_requant(wide_factor(op, in))};
}

Status verify_wide(const Softmax& op, const TensorType& in, const TensorType& out, int64_t len) {
  float scale = tensor_scale(out);
  if (std::abs(scale - kWideScale) > 0.001f * kWideScale)
    return input_error(
        fmt::format("the output has scale {}, softmax of s16 gives 1/32768; put a quantize behind "
                    "it",
                    format_float(scale)));
  if (len > kMaxWideRowLen)
    return input_error(
        fmt::format("runs over {} elements, softmax of s16 takes {} at most", len, kMaxWideRowLen));
  NIBBLE_TRY(check_factor(wide_factor(op, in), "beta * src scale * 65535 / 10"));
  return check_accumulator(65'535, make_requant(wide_factor(op, in)), Rounding::kTflite, "");
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
Status OpDef<Softmax>::verify_integer(const Softmax& op, Rounding, Operands in,
                                      const TensorType& out) {
  if (in[0].type->dtype == DType::kS16) {
    NIBBLE_TRY(check_activations(*in[0].type, out));
    return verify_wide(op, *in[0].type, out, rows_of(in[0].type->shape).len);
  }
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
  if (out.dtype() == DType::kS16) {
    WideSoftmax wide = wide_softmax(op, in[0]->type());
    for (int64_t row = 0; row < rows.count; ++row)
      nibble_softmax_row_s16(wide.exp_table.data<int16_t>().data(),
                             wide.reciprocal_table.data<int16_t>().data(), wide.requant.multiplier,
                             wide.requant.exponent, in[0]->data<int16_t>().data() + row * rows.len,
                             out.mutable_data<int16_t>().data() + row * rows.len,
                             static_cast<int32_t>(rows.len));
    return;
  }
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
  KernelRequest request;
  request.in_place = true;
  if (out.dtype == DType::kS16) {
    WideSoftmax wide = wide_softmax(op, *in[0].type);
    request.family = "softmax_s16";
    request.fields = {{"rows", rows.count},
                      {"row_len", rows.len},
                      {"multiplier", wide.requant.multiplier},
                      {"exponent", wide.requant.exponent}};
    request.constants = {{"exp_table", wide.exp_table},
                         {"reciprocal_table", wide.reciprocal_table}};
    return std::vector{std::move(request)};
  }
  SoftmaxScaling scaling = softmax_scaling(op, *in[0].type);
  request.family = "softmax_s8";
  request.fields = {{"rows", rows.count},
                    {"row_len", rows.len},
                    {"multiplier", scaling.multiplier},
                    {"exponent", scaling.exponent},
                    {"diff_min", scaling.diff_min}};
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<Softmax>::macs(const Softmax&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
