/* Weights of two output channels in one stream of 16-bit lanes, as the kernels for cores with
   16-bit multiply-accumulate pairs read them; and the plain C that reads the same stream.

   A lane holds v = 256 * b + (a + 128) for the weights a and b of the two channels at one tap, so
   with T = sum(x * v) and B = sum(x * b): A = T - 256 * B - 128 * sum(x), modulo 2^32. Two lanes
   make a word. Rescaling per channel: `doubled` = 2 * multiplier modulo 2^32 and `shift` =
   -exponent - 1, which is at least 0: the packer takes no other exponents. Or, linear, a scale s
   and an addend in their places: (addend + round(acc * s / 2^32)) >> shift of the layer, which the
   packer has proved to be the same. */
#ifndef NIBBLE_COMMON_CHANNEL_PAIRS_S8_H
#define NIBBLE_COMMON_CHANNEL_PAIRS_S8_H

#include "common/output_s8.h"

/* Added to the shift of linear rescaling where others have their rounding. */
enum { NIBBLE_PAIRS_LINEAR = 16 };

/* The weights of the first and of the second channel in a lane. */
static inline int32_t nibble_lane_a(uint32_t word, int32_t lane) {
  return (int32_t)((word >> (16 * lane)) & 0xffu) - 128;
}
static inline int32_t nibble_lane_b(uint32_t word, int32_t lane) {
  return (int32_t)(int8_t)((word >> (16 * lane + 8)) & 0xffu);
}

static inline int8_t nibble_pairs_output_s8(int32_t acc, uint32_t doubled, uint32_t shift,
                                            int32_t rounding, int32_t zero, int32_t low,
                                            int32_t high) {
  if (rounding >= NIBBLE_PAIRS_LINEAR) {
    int64_t product = (int64_t)acc * (int32_t)doubled + ((int64_t)1 << 31);
    int32_t scaled = (int32_t)shift + (int32_t)(product >> 32);
    return (int8_t)nibble_clamp(scaled >> (rounding - NIBBLE_PAIRS_LINEAR), low, high);
  }
  return nibble_output_s8(acc, (int32_t)(doubled >> 1), -(int32_t)shift - 1, rounding, zero, low,
                          high);
}

#endif
