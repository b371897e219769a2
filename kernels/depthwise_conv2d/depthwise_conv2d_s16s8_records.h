/* depthwise_conv2d_s16s8 (one filter per channel) from packed records, for the
   frame of depthwise_conv2d_s16s8_pairs.h: what the generated functions of cores without SIMD, and
   of cores with RISC-V vectors, compute. All accumulators fit 32 bits; the packer has proved it.

   A record is `lanes` channels (one without vectors), the last one filled up with channels of
   zeros: their start values (bias); for each tap a byte of weight per channel, up to the next whole
   word; doubled of each, an even number: (acc * doubled + 2^31) >> 32. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S16S8_RECORDS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S16S8_RECORDS_H

#include "depthwise_conv2d/depthwise_conv2d_s16s8_pairs.h"

/* What the text of a kernel says. */
typedef struct {
  int32_t pixels;
  int32_t lanes;
  int32_t in_c;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_w;
  int32_t dilation_w;
  int32_t act_min;
  int32_t act_max;
} nibble_depthwise_s16s8_records_args;

/* The kernel in plain C. */
static inline void nibble_depthwise_s16s8_records(const nibble_depthwise_s16s8_records_args* args,
                                                  const int16_t* src, const uint32_t* stream,
                                                  int16_t* dst, int32_t row_bytes,
                                                  const uint32_t* stream_end) {
  int32_t taps = args->k_h * args->k_w, lanes = args->lanes;
  for (int32_t first = 0; stream != stream_end; first += lanes) {
    const int8_t* weights = (const int8_t*)(const void*)(stream + lanes);
    const uint32_t* doubled = stream + lanes + (taps * lanes + 3) / 4;
    for (int32_t lane = 0; lane < lanes && first + lane < args->in_c; ++lane)
      for (int32_t pixel = 0; pixel < args->pixels; ++pixel) {
        int32_t acc = (int32_t)stream[lane], value;
        for (int32_t tap = 0; tap < taps; ++tap) {
          int32_t column = pixel * args->stride_w + tap % args->k_w * args->dilation_w;
          acc += src[tap / args->k_w * (row_bytes / 2) + column * args->in_c + first + lane] *
                 weights[tap * lanes + lane];
        }
        value = (int32_t)(((int64_t)acc * (int32_t)doubled[lane] + ((int64_t)1 << 31)) >> 32);
        dst[pixel * args->in_c + first + lane] =
            (int16_t)nibble_clamp(value, args->act_min, args->act_max);
      }
    stream = doubled + lanes;
  }
}

#endif
