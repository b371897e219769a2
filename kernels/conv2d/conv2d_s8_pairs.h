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
  NIBBLE_CONV2D_STREAM_BYTES, /* with the header */
  NIBBLE_CONV2D_LOOP_BYTES,   /* of the window, until the end of the loop over the taps */
  NIBBLE_CONV2D_RUN_QUADS,    /* run_len / 4; of whole quads: how many follow the first */
  NIBBLE_CONV2D_ROW_BYTES,    /* in_w * in_c */
  NIBBLE_CONV2D_ENTRY,        /* whole quads: where the loop is entered, in pairs of words */
  NIBBLE_CONV2D_QUAD_STEP,    /* whole quads: from the first to the second */
  NIBBLE_CONV2D_FLAT_FIELDS,  /* end of the header where rows follow one another (1x1) */
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
  int32_t rounding;
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

typedef struct {
  const nibble_conv2d_s8_pairs_args* args;
  const int8_t* src;
  int32_t in_zero, in_h, in_w, in_c, k_h;
} nibble_conv2d_s8_pairs_image;

/* Adds the products of one pixel, whose window starts at row y and column x of the image. Returns
   the word behind the weights. */
static inline const uint32_t* nibble_conv2d_s8_pairs_window(
    const nibble_conv2d_s8_pairs_image* image, int32_t y, int32_t x, const uint32_t* weights,
    int32_t* a, int32_t* b) {
  const nibble_conv2d_s8_pairs_args* args = image->args;
  int32_t run_len = args->patch ? args->k_w * image->in_c : image->in_c;
  for (int32_t ky = 0; ky < image->k_h; ++ky)
    for (int32_t word = 0; word < nibble_run_words(run_len, args->whole_quads); ++word)
      for (int32_t phase = 0; phase < (args->patch ? 1 : args->stride_w); ++phase)
        for (int32_t kx = phase; kx < (args->patch ? 1 : args->k_w); kx += args->stride_w) {
          uint32_t lanes = *weights++, lanes_b = args->wide ? *weights++ : 0;
          for (int32_t lane = 0; lane < 2; ++lane) {
            int32_t tap = nibble_run_tap(word, lane, run_len, args->whole_quads);
            int32_t iy = y + ky, ix = x + kx + tap / image->in_c;
            if (tap >= run_len || iy < 0 || iy >= image->in_h || ix < 0 || ix >= image->in_w)
              continue;
            int32_t value = image->src[(iy * image->in_w + ix) * image->in_c + tap % image->in_c] -
                            image->in_zero;
            *a += value * (args->wide ? (int16_t)(lanes >> (16 * lane) & 0xffffu)
                                      : nibble_lane_a(lanes, lane));
            *b += value * (args->wide ? (int16_t)(lanes_b >> (16 * lane) & 0xffffu)
                                      : nibble_lane_b(lanes, lane));
          }
        }
  return weights;
}

static inline void nibble_conv2d_s8_pairs(const nibble_conv2d_s8_pairs_args* args,
                                          const int8_t* src, int8_t* dst, const uint32_t* stream,
                                          int32_t first_row, int32_t end_row) {
  const int32_t* header = (const int32_t*)stream;
  int32_t flat = args->flat, out_w = header[NIBBLE_CONV2D_OUT_W],
          out_c = header[NIBBLE_CONV2D_OUT_C];
  nibble_conv2d_s8_pairs_image image = {args,
                                        src,
                                        -(int16_t)(stream[NIBBLE_CONV2D_IN_ZERO] & 0xffffu),
                                        flat ? end_row : header[NIBBLE_CONV2D_IN_H],
                                        flat ? out_w : header[NIBBLE_CONV2D_IN_W],
                                        header[NIBBLE_CONV2D_IN_C],
                                        flat ? 1 : header[NIBBLE_CONV2D_K_H]};
  int32_t stride_h = flat ? 1 : header[NIBBLE_CONV2D_STRIDE_H];
  int32_t pad_top = flat ? 0 : header[NIBBLE_CONV2D_PAD_TOP];
  int32_t pad_left = flat ? 0 : header[NIBBLE_CONV2D_PAD_LEFT];
  dst += first_row * out_w * out_c;
  for (int32_t oy = first_row; oy < end_row; ++oy)
    for (int32_t ox = 0; ox < out_w; ++ox) {
      const uint32_t* pair = stream + (flat ? NIBBLE_CONV2D_FLAT_FIELDS : NIBBLE_CONV2D_FIELDS);
      for (int32_t channel = 0; channel < out_c; channel += 2) {
        int32_t a = (int32_t)(pair[0] - (args->wide ? 0u : 256u * pair[1])), b = (int32_t)pair[1];
        const uint32_t* rescale = nibble_conv2d_s8_pairs_window(
            &image, oy * stride_h - pad_top, ox * args->stride_w - pad_left, pair + 2, &a, &b);
        int32_t zero = ((int16_t)(rescale[2] >> 15 & 0xfffeu) / 2 - 1) / 2;
        *dst++ = nibble_pairs_output_s8(a, rescale[0], rescale[2] & 0xffu, args->rounding, zero,
                                        args->act_min, args->act_max);
        if (channel + 1 < out_c)
          *dst++ = nibble_pairs_output_s8(b, rescale[1], rescale[2] >> 8 & 0xffu, args->rounding,
                                          zero, args->act_min, args->act_max);
        pair = rescale + 3;
      }
    }
}

#endif
