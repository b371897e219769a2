// What sigmoid and tanh share: their input as a fixed-point number with four integer bits. Inside
// ops/ only.
#pragma once

#include "ops/lookup.h"

namespace nibble {

// q -> function of the input in Q4.27, for inputs q - zero_in with magnitude below `radius`; beyond
// it the function has reached -128 or 127.
ScalarFunction saturating_q4_function(const TensorType& in,
                                      std::function<int32_t(int32_t)> function);

// Whether the output has the scale and zero point that TensorFlow Lite prescribes for the operator.
bool has_params(const TensorType& out, float scale, int32_t zero_point);

}  // namespace nibble
