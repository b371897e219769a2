/* add_s16: dst[i] = src[i] + rhs[i] on quantized numbers of zero point 0, or src[i] - rhs[i] with
   rhs_sign -1; arithmetic in add_elem_s16.h.

   src, rhs and dst have len elements. dst may be src or rhs.
   Factors: lhs and rhs at most 1/2, out under 1; exponents as in requant.h. act_min <= act_max lie
   in [-32768, 32767]. rhs_sign is 1 or -1 (a negative multiplier would round ties another way). */
#ifndef NIBBLE_ADD_ADD_S16_H
#define NIBBLE_ADD_ADD_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t len;
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
} nibble_add_s16_args;

NIBBLE_API void nibble_add_s16_ref(const nibble_add_s16_args* args, const int16_t* src,
                                   const int16_t* rhs, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
