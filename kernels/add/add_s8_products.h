/* add_s8 as two products: dst = clamp((src * lhs_factor + rhs * rhs_factor + addend) >> shift). The
   packer found the numbers, and that they give the output of add_s8 for each of the 65536 pairs.
   rhs_step: 1, or 0 where rhs is one element for all. dst may be src, and rhs if that moves. */
#ifndef NIBBLE_ADD_ADD_S8_PRODUCTS_H
#define NIBBLE_ADD_ADD_S8_PRODUCTS_H

#include "common/nibble_common.h"
#include "common/requant.h"

static inline void nibble_add_s8_products(const int8_t* src, const int8_t* rhs, int32_t rhs_step,
                                          int8_t* dst, int32_t lhs_factor, int32_t rhs_factor,
                                          int32_t addend, int32_t len, int32_t shift,
                                          int32_t act_min, int32_t act_max) {
  for (int32_t i = 0; i < len; ++i) {
    int32_t sum = src[i] * lhs_factor + rhs[i * rhs_step] * rhs_factor + addend;
    dst[i] = (int8_t)nibble_clamp(sum >> shift, act_min, act_max);
  }
}

#endif
