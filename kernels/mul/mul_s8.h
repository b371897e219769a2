/* mul_s8: dst[i] = src[i] * rhs[i] on quantized numbers; arithmetic in mul_elem.h.

   src, rhs and dst have len elements. dst may be src or rhs.
   The compiler guarantees that the product, shifted left by a positive exponent, stays within 32
   bits. */
#ifndef NIBBLE_MUL_MUL_S8_H
#define NIBBLE_MUL_MUL_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
  int32_t lhs_zero;
  int32_t rhs_zero;
  int32_t out_zero;
  int32_t multiplier;
  int32_t exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mul_s8_args;

NIBBLE_API void nibble_mul_s8_ref(const nibble_mul_s8_args* args, const int8_t* src,
                                  const int8_t* rhs, int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
