/* One element of a product of quantized numbers; shared by the flat and the broadcasting kernel.

   dst = clamp(out_zero + factor * (lhs - lhs_zero) * (rhs - rhs_zero)) */
#ifndef NIBBLE_MUL_MUL_ELEM_H
#define NIBBLE_MUL_MUL_ELEM_H

#include "common/nibble_common.h"
#include "common/requant.h"

typedef struct {
  int32_t lhs_zero;
  int32_t rhs_zero;
  int32_t out_zero;
  int32_t multiplier;
  int32_t exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mul_scaling;

static inline int8_t nibble_mul_elem_s8(const nibble_mul_scaling* cfg, int32_t lhs, int32_t rhs) {
  int32_t product = nibble_requant((lhs - cfg->lhs_zero) * (rhs - cfg->rhs_zero), cfg->multiplier,
                                   cfg->exponent, cfg->rounding);
  return (int8_t)nibble_clamp(product + cfg->out_zero, cfg->act_min, cfg->act_max);
}

/* As NIBBLE_ADD_SCALING: a local copy that stays in registers. */
#define NIBBLE_MUL_SCALING(args)                                                                \
  {                                                                                             \
    (args)->lhs_zero, (args)->rhs_zero, (args)->out_zero, (args)->multiplier, (args)->exponent, \
        (args)->act_min, (args)->act_max, (args)->rounding                                      \
  }

#endif
