/* Rescaling an integer accumulator: the one implementation, for the target and (in C++) for the
   host's references. doc/quantization.md derives it.

   A real factor M is written as multiplier * 2^(exponent - 31), multiplier in [2^30, 2^31) or 0,
   exponent in [-31, 30]; positive exponents shift left.
   tflite: acc is shifted left by a positive exponent, then rounding doubling high multiply (ties
   away from zero for positive, towards zero for negative products: add 2^30 or 1 - 2^30, divide by
   2^31 towards zero), then rounding shift right (ties away from zero). Bit-exact with the
   TensorFlow Lite reference built with double rounding. single: round half up of acc * multiplier /
   2^(31 - exponent), once.
   reduced: for layers of the 16x8 scheme with 64-bit accumulators; its multiplier has 15 bits. */
#ifndef NIBBLE_COMMON_REQUANT_H
#define NIBBLE_COMMON_REQUANT_H

#include <stdint.h>

enum { NIBBLE_ROUNDING_TFLITE = 0, NIBBLE_ROUNDING_SINGLE = 1, NIBBLE_ROUNDING_REDUCED = 2 };

/* Saturating rounding doubling high multiply; the only saturating case is both INT32_MIN. */
static inline int32_t nibble_doubling_high_mul(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  int64_t product = (int64_t)a * (int64_t)b;
  int64_t nudge = product >= 0 ? ((int64_t)1 << 30) : (1 - ((int64_t)1 << 30));
  return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/* x / 2^shift, ties away from zero; shift in [0, 31]. */
static inline int32_t nibble_rounding_shift_right(int32_t x, int32_t shift) {
  int32_t mask = (int32_t)(((int64_t)1 << shift) - 1);
  int32_t remainder = x & mask;
  int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> shift) + (remainder > threshold ? 1 : 0);
}

/* acc * 2^exponent must fit 32 bits for positive exponents; the compiler has proved it. */
static inline int32_t nibble_requant_tflite(int32_t acc, int32_t multiplier, int32_t exponent) {
  int32_t left = exponent > 0 ? exponent : 0;
  int32_t right = exponent > 0 ? 0 : -exponent;
  int32_t shifted = (int32_t)((uint32_t)acc << left);
  return nibble_rounding_shift_right(nibble_doubling_high_mul(shifted, multiplier), right);
}

static inline int32_t nibble_requant_single(int32_t acc, int32_t multiplier, int32_t exponent) {
  int32_t shift = 31 - exponent;
  int64_t half = (int64_t)1 << (shift - 1);
  return (int32_t)(((int64_t)acc * multiplier + half) >> shift);
}

static inline int32_t nibble_requant(int32_t acc, int32_t multiplier, int32_t exponent,
                                     int32_t rounding) {
  return rounding == NIBBLE_ROUNDING_SINGLE ? nibble_requant_single(acc, multiplier, exponent)
                                            : nibble_requant_tflite(acc, multiplier, exponent);
}

/* acc * multiplier * 2^(exponent - 15), ties up: what TensorFlow Lite does with 64-bit
   accumulators. multiplier in [0, 2^15), exponent in [-31, 7], |acc| < 2^47; the result fits 32
   bits. */
static inline int32_t nibble_requant_reduced(int64_t acc, int32_t multiplier, int32_t exponent) {
  int32_t shift = 15 - exponent;
  return (int32_t)((acc * multiplier + ((int64_t)1 << (shift - 1))) >> shift);
}

static inline int32_t nibble_clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : (value > high ? high : value);
}

#endif
