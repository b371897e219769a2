/* mean_s16: dst[o][m][i] = clamp(requant(sum over a, b of src[o][a][m][b][i])): the mean over one
   or two blocks of axes; the factor of requant holds the division by axis_a * axis_b. All zero
   points are 0.

   src [outer][axis_a][middle][axis_b][inner], dst [outer][middle][inner]; extents are at least 1.
   The compiler guarantees that no sum leaves 32 bits. dst does not overlap src. */
#ifndef NIBBLE_MEAN_MEAN_S16_H
#define NIBBLE_MEAN_MEAN_S16_H

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
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_mean_s16_args;

NIBBLE_API void nibble_mean_s16_ref(const nibble_mean_s16_args* args, const int16_t* src,
                                    int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
