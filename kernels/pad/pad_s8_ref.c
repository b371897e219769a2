/* Portable padding: walks over the rows of dst in order; a row is either all padding or a row of
 * src between two margins. */
#include "common/copy_s8.h"
#include "pad/pad_s8.h"

/* Whether position i of the padded axis holds an element of src. */
static int nibble_pad_inside(int32_t i, int32_t before, int32_t extent) {
  return i >= before && i < before + extent;
}

NIBBLE_API void nibble_pad_s8_ref(const nibble_pad_s8_args* args, const int8_t* src, int8_t* dst) {
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
        if (nibble_pad_inside(i0, args->before_0, args->extent_0) &&
            nibble_pad_inside(i1, args->before_1, args->extent_1) &&
            nibble_pad_inside(i2, args->before_2, args->extent_2)) {
          nibble_fill_s8(dst, args->value, before);
          nibble_copy_s8(dst + before, src, row);
          nibble_fill_s8(dst + before + row, args->value, after);
          src += row;
        } else {
          nibble_fill_s8(dst, args->value, before + row + after);
        }
        dst += before + row + after;
      }
    }
  }
}
