/* depthwise_conv2d_s8 and depthwise_conv2d_s16s8 (one filter per channel) from packed records, for
   the frame of depthwise_conv2d_windows.h: what the generated functions of cores without SIMD, and
   those of s16 on cores with RISC-V vectors, compute. All accumulators fit 32 bits; the packer has
   proved it.

   A record is `lanes` channels (one without vectors), the last one filled up with channels of
   zeros: their start values; for each tap a byte of weight per channel, up to the next whole word;
   what rescales each:
     s8    the words of a form (common/rescale_s8.h); the start value is the bias less in_zero times
           the sum of the weights, plus what the form asks for
     s16   doubled, an even number: (acc * doubled + 2^31) >> 32; the start value is the bias */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_RECORDS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_RECORDS_H

#include "common/requant.h"
#include "common/rescale_s8.h"
#include "depthwise_conv2d/depthwise_conv2d_windows.h"

/* What the text of a kernel says. */
typedef struct {
  int32_t pixels;
  int32_t lanes;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_w;
  int32_t dilation_w;
  int32_t act_min; /* of s16 */
  int32_t act_max;
} nibble_depthwise_records_args;

/* Bytes from a block's first tap to a tap of one of its pixels. */
static inline int32_t nibble_depthwise_tap_offset(const nibble_depthwise_records_args* args,
                                                  int32_t pixel, int32_t tap, int32_t row_bytes,
                                                  int32_t pixel_bytes) {
  int32_t column = pixel * args->stride_w + tap % args->k_w * args->dilation_w;
  return tap / args->k_w * row_bytes + column * pixel_bytes;
}

/* The kernels in plain C. */
static inline void nibble_depthwise_records_s8(const nibble_depthwise_records_args* args,
                                               const nibble_rescale_s8* rescale, const int8_t* src,
                                               const uint32_t* stream, int8_t* dst,
                                               int32_t row_bytes, const uint32_t* stream_end,
                                               int32_t pixel_bytes) {
  int32_t taps = args->k_h * args->k_w;
  for (; stream != stream_end; ++src, ++dst) {
    const int8_t* weights = (const int8_t*)(const void*)(stream + 1);
    const uint32_t* words = stream + 1 + (taps + 3) / 4;
    for (int32_t pixel = 0; pixel < args->pixels; ++pixel) {
      int32_t acc = (int32_t)stream[0];
      for (int32_t tap = 0; tap < taps; ++tap)
        acc += src[nibble_depthwise_tap_offset(args, pixel, tap, row_bytes, pixel_bytes)] *
               weights[tap];
      dst[pixel * pixel_bytes] = nibble_rescaled_s8(rescale, words, acc);
    }
    stream = words + rescale->words;
  }
}

static inline void nibble_depthwise_records_s16(const nibble_depthwise_records_args* args,
                                                const int8_t* src, const uint32_t* stream,
                                                int8_t* dst, int32_t row_bytes,
                                                const uint32_t* stream_end, int32_t pixel_bytes) {
  const int16_t* from = (const int16_t*)(const void*)src;
  int16_t* to = (int16_t*)(void*)dst;
  int32_t taps = args->k_h * args->k_w, lanes = args->lanes;
  for (int32_t channel = 0; stream != stream_end; channel += lanes) {
    const int8_t* weights = (const int8_t*)(const void*)(stream + lanes);
    const uint32_t* doubled = stream + lanes + (taps * lanes + 3) / 4;
    for (int32_t lane = 0; lane < lanes && channel + lane < pixel_bytes / 2; ++lane)
      for (int32_t pixel = 0; pixel < args->pixels; ++pixel) {
        int32_t acc = (int32_t)stream[lane], value;
        for (int32_t tap = 0; tap < taps; ++tap)
          acc += from[nibble_depthwise_tap_offset(args, pixel, tap, row_bytes, pixel_bytes) / 2 +
                      channel + lane] *
                 weights[tap * lanes + lane];
        value = (int32_t)(((int64_t)acc * (int32_t)doubled[lane] + ((int64_t)1 << 31)) >> 32);
        to[pixel * (pixel_bytes / 2) + channel + lane] =
            (int16_t)nibble_clamp(value, args->act_min, args->act_max);
      }
    stream = doubled + lanes;
  }
}

#endif
