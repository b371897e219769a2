/* Portable product with broadcasting: four nested loops over strides. */
#include "mul/mul_broadcast_s16.h"
#include "mul/mul_elem_s16.h"

NIBBLE_API void nibble_mul_broadcast_s16_ref(const nibble_mul_broadcast_s16_args* args,
                                             const int16_t* src, const int16_t* rhs, int16_t* dst) {
  const nibble_mul_scaling_s16 cfg = NIBBLE_MUL_SCALING_S16(args);
  const int32_t len = args->extent_3;
  const int32_t lhs_step = args->lhs_stride_3;
  const int32_t rhs_step = args->rhs_stride_3;
  int32_t i0, i1, i2, i3;
  for (i0 = 0; i0 < args->extent_0; ++i0) {
    for (i1 = 0; i1 < args->extent_1; ++i1) {
      for (i2 = 0; i2 < args->extent_2; ++i2) {
        const int16_t* lhs_row =
            src + i0 * args->lhs_stride_0 + i1 * args->lhs_stride_1 + i2 * args->lhs_stride_2;
        const int16_t* rhs_row =
            rhs + i0 * args->rhs_stride_0 + i1 * args->rhs_stride_1 + i2 * args->rhs_stride_2;
        for (i3 = 0; i3 < len; ++i3)
          *dst++ = nibble_mul_elem_s16(&cfg, lhs_row[i3 * lhs_step], rhs_row[i3 * rhs_step]);
      }
    }
  }
}
