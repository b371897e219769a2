/* Portable nearest-neighbour resize; a row that repeats the one above is copied from it. */
#include "common/copy_s8.h"
#include "resize_nearest/resize_nearest_s8.h"

NIBBLE_API void nibble_resize_nearest_s8_ref(const nibble_resize_nearest_s8_args* args,
                                             const int8_t* src, int8_t* dst) {
  const int32_t channels = args->channels;
  const int32_t src_row = args->in_w * channels;
  const int32_t dst_row = args->out_w * channels;
  int32_t n, y, x;
  for (n = 0; n < args->batches; ++n) {
    for (y = 0; y < args->out_h; ++y) {
      const int8_t* row = src + args->src_y[y] * src_row;
      if (y > 0 && args->src_y[y] == args->src_y[y - 1]) {
        nibble_copy_s8(dst, dst - dst_row, dst_row);
      } else {
        for (x = 0; x < args->out_w; ++x)
          nibble_copy_s8(dst + x * channels, row + args->src_x[x] * channels, channels);
      }
      dst += dst_row;
    }
    src += args->in_h * src_row;
  }
}
