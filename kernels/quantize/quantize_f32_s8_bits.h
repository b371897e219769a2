/* quantize_f32_s8 on cores without a float unit, by integers alone: floats of one sign ascend as
   their bits do, so the output's distance from the zero point is the number of entries of `steps`
   that the magnitude's bits reach.

   steps[k], k < most: the bits of the least magnitude whose distance is k + 1; steps[most] is
   above all. With 16 bits of the mantissa, and inverse * 2^-t the 16 bits of 1 / scale, both
   rounded down,
     estimate = mantissa * inverse * 2^(exponent - 134 - t),   shift = 134 + t,
   is at most 1/64 of a step, in 256ths of one, below the true quotient: rounded, it is the distance
   or one less, and steps[] says which. What is not a number becomes the zero point. */
#ifndef NIBBLE_QUANTIZE_QUANTIZE_F32_S8_BITS_H
#define NIBBLE_QUANTIZE_QUANTIZE_F32_S8_BITS_H

#include "common/nibble_common.h"
#include "common/requant.h"

static inline void nibble_quantize_f32_s8_bits(const float* src, int8_t* dst, const uint32_t* steps,
                                               int32_t most, int32_t inverse, int32_t shift,
                                               int32_t zero, int32_t low, int32_t high,
                                               int32_t len) {
  const uint32_t first = steps[0], span = steps[most - 1] - first;
  for (int32_t i = 0; i < len; ++i) {
    uint32_t bits, magnitude;
    int32_t distance, sign;
    memcpy(&bits, src + i, sizeof bits);
    magnitude = bits & 0x7fffffffu;
    if (magnitude - first < span) {
      uint32_t mantissa = (magnitude << 8 | 0x80000000u) >> 16;
      uint32_t quotient = mantissa * (uint32_t)inverse >> ((uint32_t)shift - (magnitude >> 23));
      uint32_t estimate = (quotient + 128) >> 8;
      distance = (int32_t)(estimate + (magnitude >= steps[estimate]));
    } else {
      distance = magnitude >= first && magnitude <= 0x7f800000u ? most : 0;
    }
    sign = -(int32_t)(bits >> 31);
    dst[i] = (int8_t)nibble_clamp((distance ^ sign) - sign + zero, low, high);
  }
}

#endif
