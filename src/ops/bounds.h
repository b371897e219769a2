// The fused activation of an operator on real numbers. Inside ops/ only; its integer form is
// arithmetic.h's activation_range.
#pragma once

#include <algorithm>

#include "ops/ops.h"

namespace nibble {

// Error: the lower bound above the upper one, or not a number.
Status check_bounds(const Bounds& act);

// NaN stays NaN.
inline float bounded(float value, const Bounds& act) {
  return std::min(std::max(value, act.min), act.max);
}

}  // namespace nibble
