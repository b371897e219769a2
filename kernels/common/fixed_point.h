/* exp, 1/(1+x) and (1-x)/(1+x) on 32-bit fixed-point numbers: the one implementation, for the
   softmax kernel and (in C++) for the host's references of sigmoid, tanh and softmax. Qm.n has m
   integer and n = 31 - m fractional bits; Q0.31 covers [-1, 1). The steps and their roundings are
   those of the TensorFlow Lite reference kernels, whose results must be met bit for bit. */
#ifndef NIBBLE_COMMON_FIXED_POINT_H
#define NIBBLE_COMMON_FIXED_POINT_H

#include <stdint.h>

#include "common/requant.h"

/* The product of two numbers in Q0.31, kept out of line: a softmax contains some twenty of them and
   runs on one short row, so their size counts and their speed does not. */
#if defined(__GNUC__) || defined(__clang__)
__attribute__((noinline, unused))
#endif
static int32_t
nibble_fixed_mul(int32_t a, int32_t b) {
  return nibble_doubling_high_mul(a, b);
}

/* x * 2^exponent, saturating; exponent in [1, 30]. */
static inline int32_t nibble_saturating_shift_left(int32_t x, int32_t exponent) {
  int32_t limit = (int32_t)(((uint32_t)1 << (31 - exponent)) - 1u);
  if (x > limit) return INT32_MAX;
  if (x < -limit) return INT32_MIN;
  return (int32_t)((uint32_t)x << exponent);
}

/* exp(a) in Q0.31 for a in [-1/4, 0), Q0.31: the Taylor series around -1/8 up to the fourth power,
   exp(-1/8) * (1 + x + x^2/2 + x^3/6 + x^4/24) with x = a + 1/8. */
static inline int32_t nibble_exp_of_last_quarter(int32_t a) {
  const int32_t exp_of_minus_eighth = 1895147668;
  const int32_t one_third = 715827883;
  int32_t x = a + ((int32_t)1 << 28);
  int32_t x2 = nibble_fixed_mul(x, x);
  int32_t x3 = nibble_fixed_mul(x2, x);
  int32_t x4 = nibble_fixed_mul(x2, x2);
  int32_t cubic = nibble_fixed_mul(nibble_rounding_shift_right(x4, 2) + x3, one_third);
  int32_t tail = nibble_rounding_shift_right(cubic + x2, 1);
  return exp_of_minus_eighth + nibble_fixed_mul(exp_of_minus_eighth, x + tail);
}

/* exp(a) in Q0.31 for a <= 0 with `integer_bits` integer bits, 1 to 5: a = r - k/4 with r in [-1/4,
   0), so exp(a) = exp(r) * product of exp(-2^i) over the bits i of k/4. */
static inline int32_t nibble_exp_of_negative(int32_t a, int32_t integer_bits) {
  /* exp(-1/4), exp(-1/2), exp(-1), ... exp(-16) in Q0.31 */
  static const int32_t power[7] = {1672461947, 1302514674, 790015084, 290630308,
                                   39332535,   720401,     242};
  int32_t quarter = (int32_t)1 << (29 - integer_bits);
  int32_t r = (a & (quarter - 1)) - quarter;
  int32_t rest = r - a;
  int32_t result = nibble_exp_of_last_quarter((int32_t)((uint32_t)r << integer_bits));
  int32_t i;
  if (a == 0) return INT32_MAX;
  for (i = 0; i < integer_bits + 2; ++i) {
    if (rest & (int32_t)((uint32_t)quarter << i)) result = nibble_fixed_mul(result, power[i]);
  }
  return result;
}

/* 2 / (1 + a) in Q2.29 for a in [0, 1], Q0.31: three Newton steps x += x * (1 - d x) towards 1/d
   with d = (1 + a) / 2, from the line 48/17 - 32/17 d, whose error on [1/2, 1] is the smallest that
   a line can have. */
static inline int32_t nibble_two_over_one_plus(int32_t a) {
  const int32_t one = (int32_t)1 << 29;
  int32_t half_sum = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
  int32_t x = 1515870810 + nibble_fixed_mul(half_sum, -1010580540);
  int32_t step;
  for (step = 0; step < 3; ++step) {
    int32_t miss = one - nibble_fixed_mul(half_sum, x);
    x += nibble_saturating_shift_left(nibble_fixed_mul(x, miss), 2);
  }
  return x;
}

/* 1 / (1 + a) in Q0.31 for a in [0, 1], Q0.31. */
static inline int32_t nibble_one_over_one_plus(int32_t a) {
  return nibble_saturating_shift_left(nibble_two_over_one_plus(a), 1);
}

/* (1 - a) / (1 + a) in Q0.31 for a in [0, 1], Q0.31. */
static inline int32_t nibble_one_minus_over_one_plus(int32_t a) {
  return nibble_saturating_shift_left(nibble_two_over_one_plus(a) - ((int32_t)1 << 29), 2);
}

/* 1 / sum in Q0.31, for sum > 0, after sum has been shifted up to [2^31, 2^32); takes the places
 * off *shift. */
static inline int32_t nibble_reciprocal_of_sum(uint32_t sum, int32_t* shift) {
  while (sum < 0x80000000u) {
    sum <<= 1;
    --*shift;
  }
  return nibble_one_over_one_plus((int32_t)(sum - 0x80000000u));
}

#endif
