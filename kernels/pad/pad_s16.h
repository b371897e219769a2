/* pad_s16: dst is src with before_k elements `value` in front and after_k behind along axis k.

   src is a dense tensor of extents extent_0 (outermost) to extent_3; dst has extents before_k +
   extent_k + after_k. Axes that get no padding are merged into their outer neighbour by the
   compiler. dst does not overlap src. */
#ifndef NIBBLE_PAD_PAD_S16_H
#define NIBBLE_PAD_PAD_S16_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t extent_0;
  int32_t extent_1;
  int32_t extent_2;
  int32_t extent_3;
  int32_t before_0;
  int32_t before_1;
  int32_t before_2;
  int32_t before_3;
  int32_t after_0;
  int32_t after_1;
  int32_t after_2;
  int32_t after_3;
  int32_t value;
} nibble_pad_s16_args;

NIBBLE_API void nibble_pad_s16_ref(const nibble_pad_s16_args* args, const int16_t* src,
                                   int16_t* dst);

#ifdef __cplusplus
}
#endif

#endif
