/* depthwise_conv2d_s16s8 as in depthwise_conv2d_s16s8_pairs.h, by kernels of one or two pixels and
   eight channels. It is also the contract of their stream: groups of eight channels: the byte
   offset of the first one, the bytes from a column to the next, from the first pixel's window to
   the second one's, and between their outputs; the start values of channels 0 2 4 6 1 3 5 7; for
   each tap eight weights, a byte each; `doubled` of channels 0 2 4 6 1 3 5 7, for the `reduced`
   rounding. The last group starts so early that it is whole. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S16S8_OCTETS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S16S8_OCTETS_H

#include "depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h"

/* The kernel in plain C. */
static inline void nibble_depthwise_s16s8_octets_block(const int16_t* src, const uint32_t* stream,
                                                       int16_t* dst, int32_t row_bytes,
                                                       const uint32_t* stream_end, int32_t pixels,
                                                       int32_t k_h, int32_t k_w, int32_t act_min,
                                                       int32_t act_max) {
  while (stream != stream_end) {
    const int8_t* weights = (const int8_t*)(stream + 12);
    const uint32_t* doubled = stream + 12 + 2 * k_h * k_w;
    int32_t first = (int32_t)stream[0] / 2, column = (int32_t)stream[1] / 2;
    for (int32_t pixel = 0; pixel < pixels; ++pixel)
      for (int32_t c = 0; c < 8; ++c) {
        int32_t place = c / 2 + c % 2 * 4, value;
        int32_t acc = (int32_t)stream[4 + place];
        const int16_t* window = src + first + pixel * ((int32_t)stream[2] / 2);
        for (int32_t ky = 0; ky < k_h; ++ky)
          for (int32_t kx = 0; kx < k_w; ++kx)
            acc +=
                window[ky * (row_bytes / 2) + kx * column + c] * weights[(ky * k_w + kx) * 8 + c];
        value = (int32_t)(((int64_t)acc * (int32_t)doubled[place] + ((int64_t)1 << 31)) >> 32);
        dst[first + pixel * ((int32_t)stream[3] / 2) + c] =
            (int16_t)nibble_clamp(value, act_min, act_max);
      }
    stream = doubled + 8;
  }
}

#endif
