// The small floats that several formats share. Inside formats/ only.
#pragma once

#include <span>

#include "quantize/formats/number_format.h"

namespace nibble {

// Of an encoding without infinities and one NaN (1111.111): 2^8 * 1.75.
inline constexpr Minifloat kFp8E4m3{3, -6, 448};
// Its last exponent holds infinities and NaNs.
inline constexpr Minifloat kFp8E5m2{2, -14, 57344};

// value <- 2^-shift * round_minifloat(2^shift * value)
void round_minifloats(std::span<float> values, int shift, const Minifloat& format);

}  // namespace nibble
