/* Rescaling by a factor that the text of a function holds: multiplier in [2^30, 2^31), exponent
   -shift in [-31, 0], |x| at most 2^30. As nibble_requant of requant.h, for functions written per
   layer, in which all but x is constant.

   tflite: h = round(x * multiplier / 2^31), ties up: of the doubling high multiply, ties away from
   zero where the product is positive and towards zero where it is negative, both are up. Where h is
   negative, h - 1 turns the "ties up" of (h + 2^(shift-1)) >> shift into "ties away from zero".
   single: one rounding of the 64-bit product, ties up. */
#ifndef NIBBLE_COMMON_RESCALE_S16_H
#define NIBBLE_COMMON_RESCALE_S16_H

#include "common/requant.h"

#if defined(__thumb__) && !defined(__thumb2__)
/* (x * multiplier + nudge * 2^16) >> 31 from products of 16 bits. */
static inline int32_t nibble_high_mul_s16(int32_t x, int32_t multiplier, uint32_t nudge) {
  uint32_t x_low = (uint32_t)x & 0xffffu, low = (uint32_t)multiplier & 0xffffu;
  int32_t x_high = x >> 16, high = multiplier >> 16;
  int32_t middle = (int32_t)((uint32_t)x_high * low) + (int32_t)((x_low * low) >> 16);
  uint32_t rest = x_low * (uint32_t)high + ((uint32_t)middle & 0xffffu) + nudge;
  return (x_high * high + (middle >> 16)) * 2 + (int32_t)(rest >> 15);
}

static inline int32_t nibble_high_mul_up_s16(int32_t x, int32_t multiplier) {
  return nibble_high_mul_s16(x, multiplier, 1u << 14);
}

/* Rounded down, then ties up: rounding down does not change that. */
static inline int32_t nibble_rescale_single_s16(int32_t x, int32_t multiplier, int32_t shift) {
  if (shift == 0) return nibble_high_mul_up_s16(x, multiplier);
  return (nibble_high_mul_s16(x, multiplier, 0) + (1 << (shift - 1))) >> shift;
}
#else
/* x * (2 * multiplier - 2^32) + x * 2^32: its upper word is one multiply-accumulate away. */
static inline int32_t nibble_high_mul_up_s16(int32_t x, int32_t multiplier) {
  int32_t doubled = (int32_t)(2 * (uint32_t)multiplier);
  int64_t sum = (int64_t)((uint64_t)(uint32_t)x << 32 | 0x80000000u);
  return (int32_t)((sum + (int64_t)x * doubled) >> 32);
}

static inline int32_t nibble_rescale_single_s16(int32_t x, int32_t multiplier, int32_t shift) {
  return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (30 + shift))) >> (31 + shift));
}
#endif

static inline int32_t nibble_rescale_s16(int32_t x, int32_t multiplier, int32_t shift,
                                         int32_t rounding) {
  int32_t high;
  if (rounding == NIBBLE_ROUNDING_SINGLE) return nibble_rescale_single_s16(x, multiplier, shift);
  high = nibble_high_mul_up_s16(x, multiplier);
  if (shift == 0) return high;
  return (high + (high >> 31) + (1 << (shift - 1))) >> shift;
}

/* To [low, high] within 16 bits; both are constants of the text. */
static inline int16_t nibble_clamp_s16(int32_t value, int32_t low, int32_t high) {
#if defined(__thumb2__)
  if (low == INT16_MIN && high == INT16_MAX) {
    __asm__("ssat %0, #16, %0" : "+r"(value) : : "cc");
    return (int16_t)value;
  }
  if (low == 0 && high == INT16_MAX) {
    __asm__("usat %0, #15, %0" : "+r"(value) : : "cc");
    return (int16_t)value;
  }
#endif
  return (int16_t)nibble_clamp(value, low, high);
}

#endif
