/* From a 32-bit accumulator to an s8 element; shared by the kernels with weights, and mean. */
#ifndef NIBBLE_COMMON_OUTPUT_S8_H
#define NIBBLE_COMMON_OUTPUT_S8_H

#include "common/requant.h"

/* clamp(requant(acc) + zero); low and high lie within s8. */
static inline int8_t nibble_output_s8(int32_t acc, int32_t multiplier, int32_t exponent,
                                      int32_t rounding, int32_t zero, int32_t low, int32_t high) {
  int32_t value = nibble_requant(acc, multiplier, exponent, rounding) + zero;
  return (int8_t)nibble_clamp(value, low, high);
}

#endif
