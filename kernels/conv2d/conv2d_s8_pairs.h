/* conv2d_s8 (one group, no dilation) from a packed stream, in plain C: what the generated functions
   of cores with 16-bit multiply-accumulate pairs compute. It is also the contract of the stream.

   The stream is the header (the fields below, a word each), then the output channels in pairs a, b:
   the start values of T (bias_a + 256 * bias_b) and B (bias_b); the weights, two taps of both
   channels in a word (common/channel_pairs_s8.h); or, wide, bias_a and bias_b, then for each two
   taps a word of 16-bit weights of a and one of b; doubled_a, doubled_b, and shift_a | shift_b << 8
   | ((2 * out_zero + 1) & 0x7fff) << 16, with the highest bit set if there is a channel b: an odd
   last channel has an empty partner.

   Weights stand by kernel row, word of the run, column. A run is what is contiguous in the source:
   the channels of one column; or, for patches, the channels of all k_w columns, which then count as
   one. Columns are those with kx % stride_w == 0, then 1, and so on. */
#ifndef NIBBLE_CONV2D_CONV2D_S8_PAIRS_H
#define NIBBLE_CONV2D_CONV2D_S8_PAIRS_H

#include "common/channel_pairs_s8.h"
#include "common/nibble_common.h"

enum {
  NIBBLE_CONV2D_IN_ZERO, /* -in_zero in both halves */
  NIBBLE_CONV2D_IN_C,
  NIBBLE_CONV2D_OUT_W,
  NIBBLE_CONV2D_OUT_C,
  NIBBLE_CONV2D_ADDEND,      /* 2 * out_zero + 1 */
  NIBBLE_CONV2D_LOOP_BYTES,  /* of the window, until the end of the loop over the taps */
  NIBBLE_CONV2D_RUN_QUADS,   /* run_len / 4; of whole quads: how many follow the first */
  NIBBLE_CONV2D_ROW_BYTES,   /* in_w * in_c */
  NIBBLE_CONV2D_ENTRY,       /* whole quads: where the loop is entered, in pairs of words */
  NIBBLE_CONV2D_QUAD_STEP,   /* whole quads: from the first to the second */
  NIBBLE_CONV2D_FLAT_FIELDS, /* end of the header where rows follow one another (1x1) */
  NIBBLE_CONV2D_IN_H = NIBBLE_CONV2D_FLAT_FIELDS,
  NIBBLE_CONV2D_IN_W,
  NIBBLE_CONV2D_K_H,
  NIBBLE_CONV2D_STRIDE_H,
  NIBBLE_CONV2D_PAD_TOP,
  NIBBLE_CONV2D_PAD_LEFT,
  NIBBLE_CONV2D_ROW_SKIP,  /* from the end of a run to the same run of the next row */
  NIBBLE_CONV2D_RUN_WORDS, /* (run_len + 1) / 2 */
  NIBBLE_CONV2D_FIELDS
};

/* What the function's text says, not the stream. */
typedef struct {
  int32_t flat;
  int32_t patch;
  int32_t whole_quads;
  int32_t wide;
  int32_t k_w;
  int32_t stride_w;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding; /* or NIBBLE_PAIRS_LINEAR + shift */
} nibble_conv2d_s8_pairs_args;

/* Words of a run. The bytes of four elements become two words, 0 2 and 1 3; one or two left over
   make one. As whole quads, the second quad starts so early that the last one is whole, too. */
static inline int32_t nibble_run_words(int32_t run_len, int32_t whole_quads) {
  return whole_quads ? (run_len + 3) / 4 * 2 : (run_len + 1) / 2;
}

/* The element of a run in a lane of one of its words; run_len or more if there is none. */
static inline int32_t nibble_run_tap(int32_t word, int32_t lane, int32_t run_len,
                                     int32_t whole_quads) {
  int32_t base = word / 2 * 4, tap = base + word % 2 + 2 * lane;
  if (whole_quads && word >= 2) {
    tap -= (run_len + 3) / 4 * 4 - run_len;
    return tap < 4 ? run_len : tap;
  }
  return run_len - base >= 3 ? tap : base + lane;
}

/* A block of up to three pixels of a row, and what it reads: `window` [kernel
   row][column][channel], minus the zero point, in which pixels are `pitch` columns apart. */
enum { NIBBLE_CONV2D_PIXELS = 3 };
typedef struct {
  const nibble_conv2d_s8_pairs_args* args;
  const int8_t* src;
  int16_t* window;
  int32_t in_zero, in_h, in_w, in_c, k_h;
  int32_t pitch, columns;
} nibble_conv2d_s8_pairs_block;

/* Fills the window of a block whose first pixel's starts at row y and column x of the image. */
static inline void nibble_conv2d_s8_pairs_read(const nibble_conv2d_s8_pairs_block* block, int32_t y,
                                               int32_t x) {
  int16_t* to = block->window;
  int32_t k_w = block->args->k_w, apart = block->pitch == k_w;
  for (int32_t iy = y; iy < y + block->k_h; ++iy)
    for (int32_t column = 0; column < block->columns; ++column) {
      int32_t skipped = apart ? column / k_w * (block->args->stride_w - k_w) : 0;
      int32_t ix = x + column + skipped;
      int32_t inside = iy >= 0 && iy < block->in_h && ix >= 0 && ix < block->in_w;
      for (int32_t ic = 0; ic < block->in_c; ++ic)
        *to++ =
            inside
                ? (int16_t)(block->src[(iy * block->in_w + ix) * block->in_c + ic] - block->in_zero)
                : (int16_t)0;
    }
}

/* Adds the products of one pixel to *a and *b. Returns the word behind the weights. */
static inline const uint32_t* nibble_conv2d_s8_pairs_dot(const nibble_conv2d_s8_pairs_block* block,
                                                         int32_t pixel, const uint32_t* weights,
                                                         int32_t* a, int32_t* b) {
  const nibble_conv2d_s8_pairs_args* args = block->args;
  int32_t run_len = args->patch ? args->k_w * block->in_c : block->in_c;
  for (int32_t ky = 0; ky < block->k_h; ++ky)
    for (int32_t word = 0; word < nibble_run_words(run_len, args->whole_quads); ++word)
      for (int32_t phase = 0; phase < (args->patch ? 1 : args->stride_w); ++phase)
        for (int32_t kx = phase; kx < (args->patch ? 1 : args->k_w); kx += args->stride_w) {
          uint32_t lanes = *weights++, lanes_b = args->wide ? *weights++ : 0;
          int32_t column = ky * block->columns + pixel * block->pitch + kx;
          for (int32_t lane = 0; lane < 2; ++lane) {
            int32_t tap = nibble_run_tap(word, lane, run_len, args->whole_quads);
            if (tap >= run_len) continue;
            int32_t value = block->window[column * block->in_c + tap];
            *a += value * (args->wide ? (int16_t)(lanes >> (16 * lane) & 0xffffu)
                                      : nibble_lane_a(lanes, lane));
            *b += value * (args->wide ? (int16_t)(lanes_b >> (16 * lane) & 0xffffu)
                                      : nibble_lane_b(lanes, lane));
          }
        }
  return weights;
}

/* All channels of one pixel of a block. `pair`: the stream behind its header. */
static inline void nibble_conv2d_s8_pairs_pixel(const nibble_conv2d_s8_pairs_block* block,
                                                int32_t pixel, const uint32_t* pair,
                                                int32_t out_zero, int32_t out_c, int8_t* dst) {
  const nibble_conv2d_s8_pairs_args* args = block->args;
  int32_t linear = args->rounding >= NIBBLE_PAIRS_LINEAR;
  for (int32_t channel = 0; channel < out_c; channel += 2) {
    int32_t a = (int32_t)(pair[0] - (args->wide ? 0u : 256u * pair[1])), b = (int32_t)pair[1];
    const uint32_t* rescale = nibble_conv2d_s8_pairs_dot(block, pixel, pair + 2, &a, &b);
    uint32_t shift_a = linear ? rescale[2] : rescale[2] & 0xffu;
    uint32_t shift_b = linear ? rescale[3] : rescale[2] >> 8 & 0xffu;
    *dst++ = nibble_pairs_output_s8(a, rescale[0], shift_a, args->rounding, out_zero, args->act_min,
                                    args->act_max);
    if (channel + 1 < out_c)
      *dst++ = nibble_pairs_output_s8(b, rescale[1], shift_b, args->rounding, out_zero,
                                      args->act_min, args->act_max);
    pair = rescale + (linear ? 4 : 3);
  }
}

/* window: three times k_h * k_w * in_c elements, or as many as three neighbours have together. All
   of a block is read before any of it is written. */
static inline void nibble_conv2d_s8_pairs(const nibble_conv2d_s8_pairs_args* args,
                                          const int8_t* src, int8_t* dst, int16_t* window,
                                          const uint32_t* stream, int32_t first_row,
                                          int32_t end_row) {
  const int32_t* header = (const int32_t*)stream;
  int32_t flat = args->flat, out_c = header[NIBBLE_CONV2D_OUT_C];
  int32_t row_len = header[NIBBLE_CONV2D_OUT_W];
  int32_t first_pixel = flat ? first_row * row_len : 0;
  if (flat) row_len *= end_row;
  nibble_conv2d_s8_pairs_block block = {args,
                                        src,
                                        window,
                                        -(int16_t)(stream[NIBBLE_CONV2D_IN_ZERO] & 0xffffu),
                                        flat ? 1 : header[NIBBLE_CONV2D_IN_H],
                                        flat ? row_len : header[NIBBLE_CONV2D_IN_W],
                                        header[NIBBLE_CONV2D_IN_C],
                                        flat ? 1 : header[NIBBLE_CONV2D_K_H],
                                        args->k_w,
                                        0};
  int32_t stride_h = flat ? 1 : header[NIBBLE_CONV2D_STRIDE_H];
  int32_t pad_top = flat ? 0 : header[NIBBLE_CONV2D_PAD_TOP];
  int32_t pad_left = flat ? 0 : header[NIBBLE_CONV2D_PAD_LEFT];
  int32_t out_zero = (header[NIBBLE_CONV2D_ADDEND] - 1) / 2;
  const uint32_t* pairs = stream + (flat ? NIBBLE_CONV2D_FLAT_FIELDS : NIBBLE_CONV2D_FIELDS);
  if (!args->patch && args->stride_w < args->k_w) block.pitch = args->stride_w;
  for (int32_t oy = flat ? 0 : first_row; oy < (flat ? 1 : end_row); ++oy)
    for (int32_t ox = first_pixel; ox < row_len; ox += NIBBLE_CONV2D_PIXELS) {
      int32_t left = row_len - ox;
      int32_t pixels = left < NIBBLE_CONV2D_PIXELS ? left : (int32_t)NIBBLE_CONV2D_PIXELS;
      block.columns = (pixels - 1) * block.pitch + args->k_w;
      nibble_conv2d_s8_pairs_read(&block, oy * stride_h - pad_top, ox * args->stride_w - pad_left);
      for (int32_t pixel = 0; pixel < pixels; ++pixel)
        nibble_conv2d_s8_pairs_pixel(&block, pixel, pairs, out_zero, out_c,
                                     dst + (oy * row_len + ox + pixel) * out_c);
    }
}

#endif
