/* dense_s16s8 from a packed stream, row by row: what the generated functions of cores with 16-bit
   multiply-accumulate pairs compute, around a kernel of four output channels. It is also the
   contract of the stream. All accumulators fit 32 bits; the packer has proved it.

   The stream is groups of four output channels (the last one filled up with channels of zeros): for
   each pair a, b of a group the start values bias_a + 256 * bias_b and bias_b; then for each two
   inputs a word for each pair, in each half 256 * b + a + 128 (`lanes` in conv2d_s16s8_pairs.h);
   then doubled of the four channels, and a word of their shifts, a byte each. Inputs are rounded up
   to a multiple of eight; those that the row lacks are zeros. */
#ifndef NIBBLE_DENSE_DENSE_S16S8_LANES_H
#define NIBBLE_DENSE_DENSE_S16S8_LANES_H

#include "conv2d/conv2d_s16s8_pairs.h"

enum { NIBBLE_LANES_CHANNELS = 4, NIBBLE_LANES_STEP = 8 };

/* The kernel in plain C: groups up to stream_end. */
static inline void nibble_dense_s16s8_lanes_groups(const nibble_pairs_s16_args* args,
                                                   const int16_t* src, const uint32_t* stream,
                                                   int16_t* dst, const int16_t* src_end,
                                                   const uint32_t* stream_end) {
  int32_t words = (int32_t)(src_end - src) / 2;
  while (stream != stream_end) {
    const uint32_t* weights = stream + NIBBLE_LANES_CHANNELS;
    const uint32_t* rescale = weights + words * NIBBLE_LANES_CHANNELS / 2;
    for (int32_t channel = 0; channel < NIBBLE_LANES_CHANNELS; ++channel) {
      int32_t pair = channel / 2, which = channel % 2;
      uint32_t start = stream[2 * pair + which];
      if (which == 0) start -= 256u * stream[2 * pair + 1];
      int32_t acc = (int32_t)start;
      for (int32_t tap = 0; tap < 2 * words; ++tap)
        acc += src[tap] * nibble_pairs_weight_s16(NIBBLE_PAIRS_LANES, weights + tap / 2 * 2 + pair,
                                                  tap % 2, which);
      *dst++ = nibble_pairs_output_s16(args, acc, rescale[channel],
                                       rescale[NIBBLE_LANES_CHANNELS] >> (8 * channel) & 0xffu);
    }
    stream = rescale + NIBBLE_LANES_CHANNELS + 1;
  }
}

typedef void (*nibble_dense_s16s8_kernel)(const int16_t* src, const uint32_t* stream, int16_t* dst,
                                          const int16_t* src_end, const uint32_t* stream_end);

typedef struct {
  int32_t rows;
  int32_t in_len;
  int32_t out_len;
  int32_t group_words; /* of the stream */
} nibble_dense_s16s8_lanes_args;

/* scratch: in_len elements, rounded up to eight; none is needed if in_len is a multiple of eight.
 */
static inline void nibble_dense_s16s8_lanes(const nibble_dense_s16s8_lanes_args* args,
                                            nibble_dense_s16s8_kernel kernel, const int16_t* src,
                                            int16_t* dst, int16_t* scratch,
                                            const uint32_t* stream) {
  int32_t padded = (args->in_len + NIBBLE_LANES_STEP - 1) & -NIBBLE_LANES_STEP;
  int32_t groups = args->out_len / NIBBLE_LANES_CHANNELS;
  int32_t rest = args->out_len % NIBBLE_LANES_CHANNELS;
  const uint32_t* end = stream + groups * args->group_words;
  for (int32_t row = 0; row < args->rows; ++row) {
    const int16_t* from = src;
    if (scratch) {
      memcpy(scratch, src, (size_t)args->in_len * sizeof *src);
      memset(scratch + args->in_len, 0, (size_t)(padded - args->in_len) * sizeof *src);
      from = scratch;
    }
    if (groups > 0) kernel(from, stream, dst, from + padded, end);
    dst += groups * NIBBLE_LANES_CHANNELS;
    if (rest > 0) {
      int16_t last[NIBBLE_LANES_CHANNELS];
      kernel(from, end, last, from + padded, end + args->group_words);
      memcpy(dst, last, (size_t)rest * sizeof *dst);
      dst += rest;
    }
    src += args->in_len;
  }
}

#endif
