/* mean_s8: dst[o][m][i] = clamp(requant(sum over a, b of (src[o][a][m][b][i] - in_zero)) +
   out_zero): the mean over one or two blocks of axes; the factor of requant holds the division by
   axis_a * axis_b.

   src [outer][axis_a][middle][axis_b][inner], dst [outer][middle][inner]; extents are at least 1.
   The compiler guarantees that no sum leaves 32 bits.

   Order: block by block of the outermost extent; dst[o] is written when all before it is, and only
   src[o] is read meanwhile. So dst may overlap src where no byte of dst[o] lies on src[o] or a
   later one. */
#ifndef NIBBLE_MEAN_MEAN_S8_H
#define NIBBLE_MEAN_MEAN_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t outer;
  int32_t axis_a;
  int32_t middle;
  int32_t axis_b;
  int32_t inner;
  int32_t multiplier;
  int32_t exponent;
  int32_t in_zero;
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mean_s8_args;

NIBBLE_API void nibble_mean_s8_ref(const nibble_mean_s8_args* args, const int8_t* src, int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
