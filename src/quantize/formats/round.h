// The functions of number_formats.def: each rounds values that have max_abs, their largest
// magnitude, in common. Inside formats/ only.
#pragma once

#include <span>

namespace nibble {

#define NIBBLE_NUMBER_FORMAT(enumerator, name, function, bits, block, what) \
  void round_##function(std::span<float> values, double max_abs);
#include "quantize/formats/number_formats.def"
#undef NIBBLE_NUMBER_FORMAT

}  // namespace nibble
