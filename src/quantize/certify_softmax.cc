// Softmax in fixed point: p_i = e_i / S with e_i = exp(beta s (q_i - max)) and S = sum e_i >= 1.
// With every e_i within d of its value, and the reciprocal within r of its own,
//   |p - p_exact| <= d (1 + n) + 2 r,
// for |e_i / S - e'_i / S'| <= (|e_i - e'_i| + p |S - S'|) / S, and e_i times the reciprocal of a
// sum in [1, 2) is off by r times p S < 2. d is found by trying every difference of inputs.
#include <algorithm>
#include <cmath>

#include "common/fixed_point.h"
#include "quantize/certify_nodes.h"
#include "softmax/softmax_rows_s16.h"

namespace nibble {
namespace {

int64_t field(const KernelRequest& request, std::string_view name) {
  for (const auto& [known, value] : request.fields)
    if (known == name) return value;
  NIBBLE_UNREACHABLE("{} has no {}", request.family, name);
}

RescalingBound softmax_bound(double exp_error, double reciprocal_error, int64_t row_len,
                             double steps_of_one) {
  RescalingBound bound;
  bound.factor_steps =
      steps_of_one * (exp_error * static_cast<double>(1 + row_len) + 2 * reciprocal_error);
  bound.rounding_steps = 0.5;
  bound.steps = bound.factor_steps + bound.rounding_steps;
  return bound;
}

AccumulatorBound sum_of_shares(int64_t one, int64_t row_len) {
  AccumulatorBound bound;
  bound.min = one, bound.max = one * row_len;
  bound.partial_max = bound.max;
  bound.bits = bits_for({0, bound.max});
  return bound;
}

}  // namespace

// exp in Q0.31, its sum in Q12.19, three Newton steps in Q2.29.
void NodeBounds::bound_softmax_s8(const Softmax& op, const Node& node, const KernelRequest& request,
                                  Entry& entry) {
  const auto multiplier = static_cast<int32_t>(field(request, "multiplier"));
  const auto exponent = static_cast<int32_t>(field(request, "exponent"));
  const int64_t least = field(request, "diff_min"), row_len = field(request, "row_len");
  const double step = static_cast<double>(op.beta) * scale(node.inputs[0]);
  double error = 0;
  for (int32_t diff = 0; diff >= -255; --diff) {
    const int32_t fixed =
        diff < least ? 0
                     : nibble_exp_of_negative(nibble_requant_tflite(diff, multiplier, exponent), 5);
    error = std::max(error, std::abs(fixed * 0x1p-31 - std::exp(step * diff)));
  }
  // A share enters the sum rounded to 2^-19. The line that Newton starts from is off by 1/17, after
  // three steps by (1/17)^8 < 2^-32; rounding adds a few units of 2^-29.
  entry.accumulator = sum_of_shares(int64_t{1} << 19, row_len);
  entry.rescaling = softmax_bound(error + 0x1p-20, 0x1p-26, row_len, 256);
}

// Two tables of 513 entries, linear in between.
void NodeBounds::bound_softmax_s16(const Softmax& op, const Node& node,
                                   const KernelRequest& request, Entry& entry) {
  auto table = [&](std::string_view name) {
    for (const auto& [known, tensor] : request.constants)
      if (known == name) return tensor.data<int16_t>().data();
    NIBBLE_UNREACHABLE("{} has no {}", request.family, name);
  };
  const auto multiplier = static_cast<int32_t>(field(request, "multiplier"));
  const auto exponent = static_cast<int32_t>(field(request, "exponent"));
  const int64_t row_len = field(request, "row_len");
  const double step = static_cast<double>(op.beta) * scale(node.inputs[0]);
  double exp_error = 0, reciprocal_error = 0;
  for (int32_t diff = 0; diff >= -65535; --diff) {
    const int32_t x = nibble_requant_tflite(diff, multiplier, exponent) + 32767;
    const int32_t share =
        nibble_table_at_s16(table("exp_table"), nibble_clamp(x, INT16_MIN, INT16_MAX));
    exp_error = std::max(exp_error, std::abs(share * 0x1p-15 - std::exp(step * diff)));
  }
  // x stands for all u in [1, 2) that round to it.
  for (int32_t x = INT16_MIN; x <= INT16_MAX; ++x) {
    const double found = nibble_table_at_s16(table("reciprocal_table"), x) * 0x1p-15;
    for (double half : {-0.5, 0.5})
      reciprocal_error =
          std::max(reciprocal_error,
                   std::abs(found - 1 / std::clamp(1 + (x + 32768 + half) * 0x1p-16, 1.0, 2.0)));
  }
  entry.accumulator = sum_of_shares(INT16_MAX, row_len);
  entry.rescaling = softmax_bound(exp_error, reciprocal_error, row_len, 32768);
}

}  // namespace nibble
