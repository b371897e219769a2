/* One element of an addition or subtraction of quantized numbers; shared by the flat and the
   broadcasting kernel.

   dst = clamp(out_zero + out_factor * (lhs_factor * (lhs - lhs_zero) 2^20 +- rhs_factor * (rhs -
   rhs_zero) 2^20))

   Both inputs are brought to one scale with 20 more bits before they meet, as in TensorFlow Lite.
   Each scaled input stays under 2^27 in magnitude, because its factor is at most 1/2, so the sum
   cannot overflow. */
#ifndef NIBBLE_ADD_ADD_ELEM_H
#define NIBBLE_ADD_ADD_ELEM_H

#include "common/nibble_common.h"
#include "common/requant.h"

typedef struct {
  int32_t lhs_zero;
  int32_t lhs_multiplier;
  int32_t lhs_exponent;
  int32_t rhs_zero;
  int32_t rhs_multiplier;
  int32_t rhs_exponent;
  int32_t rhs_sign;
  int32_t out_zero;
  int32_t out_multiplier;
  int32_t out_exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_add_scaling;

static inline int8_t nibble_add_elem_s8(const nibble_add_scaling* cfg, int32_t lhs, int32_t rhs) {
  const int32_t headroom = (int32_t)1 << 20;
  int32_t scaled_lhs = nibble_requant((lhs - cfg->lhs_zero) * headroom, cfg->lhs_multiplier,
                                      cfg->lhs_exponent, cfg->rounding);
  int32_t scaled_rhs = nibble_requant((rhs - cfg->rhs_zero) * headroom, cfg->rhs_multiplier,
                                      cfg->rhs_exponent, cfg->rounding);
  int32_t sum = nibble_requant(scaled_lhs + cfg->rhs_sign * scaled_rhs, cfg->out_multiplier,
                               cfg->out_exponent, cfg->rounding);
  return (int8_t)nibble_clamp(sum + cfg->out_zero, cfg->act_min, cfg->act_max);
}

/* Copies the scaling out of an argument struct: as a local whose address nobody else has, it stays
   in registers although the kernel stores bytes. */
#define NIBBLE_ADD_SCALING(args)                                                          \
  {                                                                                       \
    (args)->lhs_zero, (args)->lhs_multiplier, (args)->lhs_exponent, (args)->rhs_zero,     \
        (args)->rhs_multiplier, (args)->rhs_exponent, (args)->rhs_sign, (args)->out_zero, \
        (args)->out_multiplier, (args)->out_exponent, (args)->act_min, (args)->act_max,   \
        (args)->rounding                                                                  \
  }

#endif
