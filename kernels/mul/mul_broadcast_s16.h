/* mul_broadcast_s16: as mul_s8, with operands repeated along axes where they have extent 1.

   dst is a dense tensor of extents extent_0 (outermost) to extent_3, each at least 1. Element (i0,
   i1, i2, i3) of src lies at i0 * lhs_stride_0 + ... + i3 * lhs_stride_3, of rhs likewise; a stride
   is 0 along a repeated axis. dst may be src if src is not repeated along any axis (its strides are
   those of dst); it never overlaps rhs. */
#ifndef NIBBLE_MUL_MUL_BROADCAST_S16_H
#define NIBBLE_MUL_MUL_BROADCAST_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t extent_0;
  int32_t extent_1;
  int32_t extent_2;
  int32_t extent_3;
  int32_t lhs_stride_0;
  int32_t lhs_stride_1;
  int32_t lhs_stride_2;
  int32_t lhs_stride_3;
  int32_t rhs_stride_0;
  int32_t rhs_stride_1;
  int32_t rhs_stride_2;
  int32_t rhs_stride_3;
  int32_t multiplier;
  int32_t exponent;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mul_broadcast_s16_args;

NIBBLE_API void nibble_mul_broadcast_s16_ref(const nibble_mul_broadcast_s16_args* args,
                                             const int16_t* src, const int16_t* rhs, int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
