// avg_pool2d: the mean of each window, clamped to act. The divisor counts the taps inside the
// image, or with count_pad all taps (those outside are zero). On integers the output keeps the
// scale and zero point of src, and the quotient is rounded half away from zero as in TensorFlow
// Lite.
#include <numeric>

#include "ops/pool.h"

namespace nibble {
namespace {

// Largest number of taps whose sum stays within 32 bits, half the divisor added.
int64_t max_taps(const TensorType& type) {
  return int64_t{1} << (type.dtype == DType::kS16 ? 15 : 23);
}

int32_t divide_half_away(int32_t sum, int32_t count) {
  int32_t half = count / 2;
  return (sum > 0 ? sum + half : sum - half) / count;
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<AvgPool2d>::infer(const AvgPool2d& op, Operands in) {
  return infer_pool(in, op.k_h, op.k_w, op.window);
}

template <>
Status OpDef<AvgPool2d>::verify_integer(const AvgPool2d& op, Rounding, Operands in,
                                        const TensorType& out) {
  NIBBLE_TRY(verify_pool(in, out));
  if (op.k_h * op.k_w > max_taps(out))
    return input_error(fmt::format("its window of {} taps can overflow the 32-bit sum; at most {}",
                                   op.k_h * op.k_w, max_taps(out)));
  return {};
}

template <>
void OpDef<AvgPool2d>::run_float(const AvgPool2d& op, Inputs in, Tensor& out) {
  run_pool_float(op, *in[0], out, [&](std::span<const float> taps) {
    size_t count = op.count_pad ? static_cast<size_t>(op.k_h * op.k_w) : taps.size();
    return std::accumulate(taps.begin(), taps.end(), 0.0f) / static_cast<float>(count);
  });
}

template <>
void OpDef<AvgPool2d>::run_integer(const AvgPool2d& op, Rounding, Inputs in, Tensor& out) {
  int32_t zero_point = tensor_zero_point(out.type());
  run_pool_integer(op, *in[0], out, [&](auto taps) {
    auto inside = static_cast<int32_t>(taps.size());
    int32_t count = op.count_pad ? static_cast<int32_t>(op.k_h * op.k_w) : inside;
    int32_t sum = std::accumulate(taps.begin(), taps.end(), (count - inside) * zero_point);
    return divide_half_away(sum, count);
  });
}

template <>
QuantRule OpDef<AvgPool2d>::quant_rule(const AvgPool2d&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
Result<std::vector<KernelRequest>> OpDef<AvgPool2d>::lower(const AvgPool2d& op, Rounding,
                                                           Operands in, const TensorType& out) {
  KernelRequest request = pool_request("avg_pool2d", in, out, op.k_h, op.k_w, op.window, op.act);
  request.fields.emplace_back("count_pad", op.count_pad ? 1 : 0);
  if (out.dtype == DType::kS8) request.fields.emplace_back("pad_value", tensor_zero_point(out));
  return std::vector{std::move(request)};
}

template <>
int64_t OpDef<AvgPool2d>::macs(const AvgPool2d&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
