/* One element of a product of quantized s16 numbers of zero point 0; shared by the flat and the
   broadcasting kernel: dst = clamp(factor * lhs * rhs). */
#ifndef NIBBLE_MUL_MUL_ELEM_S16_H
#define NIBBLE_MUL_MUL_ELEM_S16_H

#include "common/nibble_common.h"
#include "common/requant.h"

typedef struct {
  int32_t multiplier;
  int32_t exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mul_scaling_s16;

static inline int16_t nibble_mul_elem_s16(const nibble_mul_scaling_s16* cfg, int32_t lhs,
                                          int32_t rhs) {
  int32_t product = nibble_requant(lhs * rhs, cfg->multiplier, cfg->exponent, cfg->rounding);
  return (int16_t)nibble_clamp(product, cfg->act_min, cfg->act_max);
}

/* As NIBBLE_ADD_SCALING: a local copy that stays in registers. */
#define NIBBLE_MUL_SCALING_S16(args) \
  { (args)->multiplier, (args)->exponent, (args)->act_min, (args)->act_max, (args)->rounding }

#endif
