// The input side of sigmoid and tanh, as TensorFlow Lite prepares it.
#include "ops/fixed_activation.h"

#include <algorithm>

#include "common/requant.h"

namespace nibble {

ScalarFunction saturating_q4_function(const TensorType& in,
                                      std::function<int32_t(int32_t)> function) {
  int32_t in_zero = tensor_zero_point(in);
  int exponent = 0;
  double mantissa = std::frexp(static_cast<double>(tensor_scale(in)) * 0x1p27, &exponent);
  auto multiplier = static_cast<int32_t>(std::round(mantissa * 0x1p31));
  // The largest input whose fixed-point form stays below 15, so that no shift overflows.
  auto radius =
      static_cast<int32_t>(std::min(std::floor(std::ldexp(15 * 0x1p27, -exponent)), 0x1p30));
  // Under 2^-31 an input is zero in Q4.27.
  if (exponent < -31) multiplier = exponent = 0;
  return [=](int32_t q) -> int32_t {
    int32_t centred = q - in_zero;
    if (centred <= -radius) return -128;
    if (centred >= radius) return 127;
    return function(nibble_requant_tflite(centred, multiplier, exponent));
  };
}

bool has_params(const TensorType& out, float scale, int32_t zero_point) {
  return tensor_scale(out) == scale && tensor_zero_point(out) == zero_point &&
         out.quant->q_min == -128 && out.quant->q_max == 127;
}

}  // namespace nibble
