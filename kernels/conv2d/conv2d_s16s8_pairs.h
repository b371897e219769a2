/* conv2d_s16s8 (one group) from a packed stream: what the generated functions of cores with 16-bit
   multiply-accumulate pairs compute, around a block kernel of three pixels. It is also the contract
   of the stream. All accumulators fit 32 bits; the packer has proved it.

   The window of a block is [word][pixel], a word two elements of a run; runs begin a word. `words`
   is rounded up to what the block kernel takes in a round; words behind the last run are zeros.

   The stream is the output channels in pairs a, b: the start values of both (bias); the weights by
   word of the window; and what rescales the pair: doubled_a, doubled_b and a last word of shift_a |
   shift_b << 8 | (has_b ? 2 : 0) << 16. An odd last channel has an empty partner.
   Forms of weights, for the taps 0 and 1 of a word:
     bytes  one word: the bytes a0 b0 a1 b1
     lanes  one word: in each half 256 * b + a + 128: with T = sum(x * half), B = sum(x * b) the
            sum of a is T - 256 * B - 128 * sum(x), modulo 2^32
     wide   two words: the halves a0 a1, then b0 b1
   Rescaling: `reduced`: (acc * doubled + 2^31) >> 32, doubled being the multiplier of 15 bits
   shifted left by 17 + exponent, which takes exponents from -17 to -1. Others: `doubled` is 2 *
   multiplier modulo 2^32 and `shift` is -exponent - 1, at least 0. */
#ifndef NIBBLE_CONV2D_CONV2D_S16S8_PAIRS_H
#define NIBBLE_CONV2D_CONV2D_S16S8_PAIRS_H

#include "common/output_s16.h"
#include "common/window_s16.h"

enum { NIBBLE_PAIRS_BYTES, NIBBLE_PAIRS_LANES, NIBBLE_PAIRS_WIDE };

/* What the text of a block kernel says, not the stream. */
typedef struct {
  int32_t form;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_pairs_s16_args;

static inline int16_t nibble_pairs_output_s16(const nibble_pairs_s16_args* args, int32_t acc,
                                              uint32_t doubled, uint32_t shift) {
  int32_t value;
  if (args->rounding == NIBBLE_ROUNDING_REDUCED)
    value = (int32_t)(((int64_t)acc * (int32_t)doubled + ((int64_t)1 << 31)) >> 32);
  else
    value = nibble_requant(acc, (int32_t)(doubled >> 1), -(int32_t)shift - 1, args->rounding);
  return (int16_t)nibble_clamp(value, args->act_min, args->act_max);
}

/* The weight of channel a (which 0) or b (1) of a tap (lane 0 or 1) of a word. */
static inline int32_t nibble_pairs_weight_s16(int32_t form, const uint32_t* weights, int32_t lane,
                                              int32_t which) {
  if (form == NIBBLE_PAIRS_WIDE) return (int16_t)(weights[which] >> (16 * lane) & 0xffffu);
  uint32_t byte = weights[0] >> (16 * lane + 8 * which) & 0xffu;
  if (form == NIBBLE_PAIRS_LANES && which == 0) return (int32_t)byte - 128;
  return (int8_t)byte;
}

/* The block kernel in plain C: all channels of three pixels whose outputs are `pitch` bytes apart.
 */
static inline void nibble_conv2d_s16s8_pairs_block(const nibble_pairs_s16_args* args,
                                                   const int16_t* window, const uint32_t* stream,
                                                   int16_t* dst, int32_t pitch,
                                                   const int16_t* window_end,
                                                   const uint32_t* stream_end) {
  int32_t step = args->form == NIBBLE_PAIRS_WIDE ? 2 : 1;
  int32_t words = (int32_t)(window_end - window) / (2 * NIBBLE_TRIPLES);
  while (stream != stream_end) {
    const uint32_t* rescale = stream + 2 + step * words;
    for (int32_t which = 0; which < (rescale[2] >> 16 ? 2 : 1); ++which)
      for (int32_t pixel = 0; pixel < NIBBLE_TRIPLES; ++pixel) {
        int32_t acc = (int32_t)stream[which];
        for (int32_t word = 0; word < words; ++word)
          for (int32_t lane = 0; lane < 2; ++lane)
            acc += window[(word * NIBBLE_TRIPLES + pixel) * 2 + lane] *
                   nibble_pairs_weight_s16(args->form, stream + 2 + step * word, lane, which);
        dst[pixel * (pitch / 2) + which] =
            nibble_pairs_output_s16(args, acc, rescale[which], rescale[2] >> (8 * which) & 0xffu);
      }
    stream = rescale + 3;
    dst += 2;
  }
}

typedef void (*nibble_conv2d_s16s8_kernel)(const int16_t* window, const uint32_t* stream,
                                           int16_t* dst, int32_t pitch, const int16_t* window_end,
                                           const uint32_t* stream_end);

typedef struct {
  nibble_window_s16 shape;
  int32_t batches;
  int32_t out_h;
  int32_t out_c;
  int32_t words;        /* of the window, per pixel */
  int32_t stream_words; /* of all pairs */
} nibble_conv2d_s16s8_pairs_args;

/* Pixels in the order of dst, three at a time; the last block starts so early that it is whole. All
   of a block is read before any of it is written. Fewer pixels than three go one by one. scratch:
   12 bytes for each of the words. */
static inline void nibble_conv2d_s16s8_pairs(const nibble_conv2d_s16s8_pairs_args* args,
                                             nibble_conv2d_s16s8_kernel kernel, const int16_t* src,
                                             int16_t* dst, int16_t* scratch, const uint32_t* stream,
                                             int32_t first_row, int32_t end_row) {
  const nibble_window_s16* shape = &args->shape;
  const uint32_t* stream_end = stream + args->stream_words;
  int16_t* window_end = scratch + args->words * 2 * NIBBLE_TRIPLES;
  int32_t run_len = (shape->dilation_w == 1 ? shape->k_w : 1) * shape->in_c;
  int32_t run_step = (run_len + 1) / 2 * 2;
  memset(scratch, 0, (size_t)args->words * 4 * NIBBLE_TRIPLES);
  int32_t count = (end_row - first_row) * shape->out_w;
  int32_t pixels = count >= NIBBLE_TRIPLES ? (int32_t)NIBBLE_TRIPLES : 1;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t at = 0; at < count; at += pixels) {
      int32_t first = at + pixels <= count ? at : count - pixels;
      int32_t oy = first_row + first / shape->out_w, ox = first % shape->out_w;
      /* One pixel alone is written three times to the same place. */
      for (int32_t pixel = 0; pixel < NIBBLE_TRIPLES; ++pixel) {
        nibble_gather_s16(shape, src, oy, ox, run_step, nibble_put_triples_s16,
                          scratch + 2 * pixel);
        if (pixels > 1 && ++ox == shape->out_w) {
          ox = 0;
          ++oy;
        }
      }
      kernel(scratch, stream, dst + (first_row * shape->out_w + first) * args->out_c,
             pixels > 1 ? 2 * args->out_c : 0, window_end, stream_end);
    }
    src += shape->in_h * shape->in_w * shape->in_c;
    dst += args->out_h * shape->out_w * args->out_c;
  }
}

#endif
