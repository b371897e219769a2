/* depthwise_conv2d_s8 where all taps of a window follow each other at the distance of a pixel: a
   window that is as wide as the image, as those over time are. One output pixel, four channels at
   once; the stream holds for each four of them

     int32_t start[4]                       bias less the input's zero point times all weights
     uint32_t weights[(taps + 1) / 2][4]    of taps 2i and 2i + 1 in the lower and the upper half,
   for the channels 0, 2, 1, 3; after an odd last tap 0 uint32_t rescaling[4][2] doubled and shift,
   as in common/channel_pairs_s8.h

   The number of channels is a multiple of four. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_COLUMNS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_COLUMNS_H

#include "common/channel_pairs_s8.h"
#include "common/nibble_common.h"

static inline void nibble_depthwise_s8_column(const int8_t* src, int8_t* dst,
                                              const uint32_t* stream, int32_t channels,
                                              int32_t taps, int32_t zero, int32_t low, int32_t high,
                                              int32_t rounding) {
  static const int32_t order[4] = {0, 2, 1, 3};
  for (int32_t first = 0; first < channels; first += 4) {
    uint32_t acc[4];
    for (int32_t i = 0; i < 4; ++i) acc[i] = *stream++;
    for (int32_t tap = 0; tap < taps; tap += 2) {
      for (int32_t i = 0; i < 4; ++i) {
        const int8_t* x = src + first + order[i] + tap * channels;
        uint32_t weights = *stream++;
        int32_t sum = x[0] * (int32_t)(int16_t)(uint16_t)weights;
        if (tap + 1 < taps) sum += x[channels] * (int32_t)(int16_t)(uint16_t)(weights >> 16);
        acc[order[i]] += (uint32_t)sum;
      }
    }
    for (int32_t i = 0; i < 4; ++i, stream += 2)
      dst[first + i] =
          nibble_pairs_output_s8((int32_t)acc[i], stream[0], stream[1], rounding, zero, low, high);
  }
}

#endif
