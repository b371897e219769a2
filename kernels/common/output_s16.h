/* From an accumulator to an s16 element of zero point 0; shared by the kernels of the 16x8 scheme.

   reduced: round(acc * multiplier * 2^(exponent - 15)), ties up, in 64 bits: TensorFlow Lite's
   rescaling of 64-bit accumulators, whose multiplier has 15 bits (the compiler has rounded it).
   |acc| < 2^47, exponent in [-31, 7], and the result fits 32 bits.
   tflite, single: as in requant.h; the accumulator fits 32 bits. */
#ifndef NIBBLE_COMMON_OUTPUT_S16_H
#define NIBBLE_COMMON_OUTPUT_S16_H

#include "common/requant.h"

static inline int16_t nibble_output_s16(int64_t acc, int32_t multiplier, int32_t exponent,
                                        int32_t rounding, int32_t low, int32_t high) {
  int32_t value = rounding == NIBBLE_ROUNDING_REDUCED
                      ? nibble_requant_reduced(acc, multiplier, exponent)
                      : nibble_requant((int32_t)acc, multiplier, exponent, rounding);
  return (int16_t)nibble_clamp(value, low, high);
}

#endif
