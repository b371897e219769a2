/* One element of an addition or subtraction of quantized s16 numbers of zero point 0; shared by the
   flat and the broadcasting kernel.

   dst = clamp(out_factor * (lhs_factor * lhs 2^15 +- rhs_factor * rhs 2^15))

   As add_elem.h with 15 bits of headroom, as in TensorFlow Lite: each scaled input is at most 2^29
   in magnitude, because its factor is at most 1/2. */
#ifndef NIBBLE_ADD_ADD_ELEM_S16_H
#define NIBBLE_ADD_ADD_ELEM_S16_H

#include "common/nibble_common.h"
#include "common/requant.h"

/* nibble_requant for exponents up to 0 and |x| up to 2^30, whose rounding shift cannot overflow. */
static inline int32_t nibble_add_requant_s16(int32_t x, int32_t multiplier, int32_t exponent,
                                             int32_t rounding) {
  int32_t high, half, away;
  if (rounding == NIBBLE_ROUNDING_SINGLE) return nibble_requant_single(x, multiplier, exponent);
  /* Ties up, as nibble_doubling_high_mul, whose nudge and division amount to the same. */
  high = (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
  half = (int32_t)(((uint32_t)1 << -exponent) >> 1);
  away = exponent < 0 ? high >> 31 : 0;
  return (high + half + away) >> -exponent;
}

typedef struct {
  int32_t lhs_multiplier;
  int32_t lhs_exponent;
  int32_t rhs_multiplier;
  int32_t rhs_exponent;
  int32_t rhs_sign;
  int32_t out_multiplier;
  int32_t out_exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_add_scaling_s16;

static inline int16_t nibble_add_elem_s16(const nibble_add_scaling_s16* cfg, int32_t lhs,
                                          int32_t rhs) {
  const int32_t headroom = (int32_t)1 << 15;
  int32_t scaled_lhs =
      nibble_add_requant_s16(lhs * headroom, cfg->lhs_multiplier, cfg->lhs_exponent, cfg->rounding);
  int32_t scaled_rhs =
      nibble_add_requant_s16(rhs * headroom, cfg->rhs_multiplier, cfg->rhs_exponent, cfg->rounding);
  int32_t sum = nibble_add_requant_s16(scaled_lhs + cfg->rhs_sign * scaled_rhs, cfg->out_multiplier,
                                       cfg->out_exponent, cfg->rounding);
  return (int16_t)nibble_clamp(sum, cfg->act_min, cfg->act_max);
}

/* As NIBBLE_ADD_SCALING: a local copy that stays in registers. */
#define NIBBLE_ADD_SCALING_S16(args)                                                            \
  {                                                                                             \
    (args)->lhs_multiplier, (args)->lhs_exponent, (args)->rhs_multiplier, (args)->rhs_exponent, \
        (args)->rhs_sign, (args)->out_multiplier, (args)->out_exponent, (args)->act_min,        \
        (args)->act_max, (args)->rounding                                                       \
  }

#endif
