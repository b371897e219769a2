/* Portable padding: walks over the rows of dst in order; a row is either all padding or a row of
 * src between two margins. */
#include "pad/pad_s16.h"

static void nibble_pad_fill_s16(int16_t* dst, int32_t value, int32_t len) {
  int32_t i;
  for (i = 0; i < len; ++i) dst[i] = (int16_t)value;
}

/* Whether position i of the padded axis holds an element of src. */
static int nibble_pad_inside_s16(int32_t i, int32_t before, int32_t extent) {
  return i >= before && i < before + extent;
}

NIBBLE_API void nibble_pad_s16_ref(const nibble_pad_s16_args* args, const int16_t* src,
                                   int16_t* dst) {
  const int32_t out_0 = args->before_0 + args->extent_0 + args->after_0;
  const int32_t out_1 = args->before_1 + args->extent_1 + args->after_1;
  const int32_t out_2 = args->before_2 + args->extent_2 + args->after_2;
  const int32_t before = args->before_3;
  const int32_t row = args->extent_3;
  const int32_t after = args->after_3;
  int32_t i0, i1, i2;
  for (i0 = 0; i0 < out_0; ++i0) {
    for (i1 = 0; i1 < out_1; ++i1) {
      for (i2 = 0; i2 < out_2; ++i2) {
        if (nibble_pad_inside_s16(i0, args->before_0, args->extent_0) &&
            nibble_pad_inside_s16(i1, args->before_1, args->extent_1) &&
            nibble_pad_inside_s16(i2, args->before_2, args->extent_2)) {
          nibble_pad_fill_s16(dst, args->value, before);
          memcpy(dst + before, src, (size_t)row * sizeof *dst);
          nibble_pad_fill_s16(dst + before + row, args->value, after);
          src += row;
        } else {
          nibble_pad_fill_s16(dst, args->value, before + row + after);
        }
        dst += before + row + after;
      }
    }
  }
}
