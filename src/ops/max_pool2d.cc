// max_pool2d: the largest element of each window, clamped to act; taps outside the image never win.
// On integers the output keeps the scale and zero point of src.
#include <algorithm>

#include "ops/pool.h"

namespace nibble {

template <>
Result<std::vector<TensorType>> OpDef<MaxPool2d>::infer(const MaxPool2d& op, Operands in) {
  return infer_pool(in, op.k_h, op.k_w, op.window);
}

template <>
Status OpDef<MaxPool2d>::verify_integer(const MaxPool2d&, Rounding, Operands in,
                                        const TensorType& out) {
  return verify_pool(in, out);
}

template <>
void OpDef<MaxPool2d>::run_float(const MaxPool2d& op, Inputs in, Tensor& out) {
  run_pool_float(op, *in[0], out, [](std::span<const float> taps) {
    return *std::max_element(taps.begin(), taps.end());
  });
}

template <>
void OpDef<MaxPool2d>::run_integer(const MaxPool2d& op, Rounding, Inputs in, Tensor& out) {
  run_pool_integer(op, *in[0], out,
                   [](auto taps) { return int32_t{*std::max_element(taps.begin(), taps.end())}; });
}

template <>
QuantRule OpDef<MaxPool2d>::quant_rule(const MaxPool2d&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
Result<std::vector<KernelRequest>> OpDef<MaxPool2d>::lower(const MaxPool2d& op, Rounding,
                                                           Operands in, const TensorType& out) {
  return std::vector{pool_request("max_pool2d", in, out, op.k_h, op.k_w, op.window, op.act)};
}

template <>
int64_t OpDef<MaxPool2d>::macs(const MaxPool2d&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
