/* add_s8: dst[i] = src[i] + rhs[i] on quantized numbers, or src[i] - rhs[i] with rhs_sign -1;
   arithmetic in add_elem.h.

   src, rhs and dst have len elements. dst may be src or rhs.
   Factors: lhs and rhs at most 1/2, out under 1; exponents as in requant.h. act_min <= act_max lie
   in [-128, 127]. rhs_sign is 1 or -1 (a negative multiplier would round ties another way). */
#ifndef NIBBLE_ADD_ADD_S8_H
#define NIBBLE_ADD_ADD_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
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
} nibble_add_s8_args;

NIBBLE_API void nibble_add_s8_ref(const nibble_add_s8_args* args, const int8_t* src,
                                  const int8_t* rhs, int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
