/* depthwise_conv2d_s16s8 (one filter per channel, columns not dilated) from a packed stream: what
   the generated functions of cores with 16-bit multiply-accumulates compute, around a kernel of a
   few neighbouring pixels. It is also the contract of the stream. All accumulators fit 32 bits; the
   packer has proved it.

   The stream is records of two channels c, c + 1: the byte offset 2 * c; the two start values
   (bias); for each tap a word of both weights, c in the low half; doubled of both; and shift_c |
   shift_(c+1) << 8 | 2 * c << 16 (rescaling as in conv2d_s16s8_pairs.h). With an odd number of
   channels the last record repeats a channel. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S16S8_PAIRS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S16S8_PAIRS_H

#include "conv2d/conv2d_s16s8_pairs.h"

typedef struct {
  nibble_window_s16 shape;
  int32_t batches;
  int32_t out_h;
  int32_t pixels; /* of a block; out_w or less */
  int32_t stream_words;
} nibble_depthwise_s16s8_pairs_args;

/* src: the block's first tap; its kernel rows are row_bytes apart. */
typedef void (*nibble_depthwise_s16s8_kernel)(const int16_t* src, const uint32_t* stream,
                                              int16_t* dst, int32_t row_bytes,
                                              const uint32_t* stream_end);

/* What the text of a kernel says. */
typedef struct {
  nibble_pairs_s16_args output;
  int32_t pixels;
  int32_t in_c;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_w;
} nibble_depthwise_s16s8_block_args;

/* The kernel in plain C. */
static inline void nibble_depthwise_s16s8_block(const nibble_depthwise_s16s8_block_args* args,
                                                const int16_t* src, const uint32_t* stream,
                                                int16_t* dst, int32_t row_bytes,
                                                const uint32_t* stream_end) {
  int32_t taps = args->k_h * args->k_w;
  while (stream != stream_end) {
    int32_t channel = (int32_t)stream[0] / 2;
    const uint32_t* rescale = stream + 3 + taps;
    for (int32_t pixel = 0; pixel < args->pixels; ++pixel)
      for (int32_t which = 0; which < 2; ++which) {
        int32_t acc = (int32_t)stream[1 + which];
        for (int32_t tap = 0; tap < taps; ++tap) {
          int32_t column = pixel * args->stride_w + tap % args->k_w;
          acc += src[tap / args->k_w * (row_bytes / 2) + column * args->in_c + channel + which] *
                 (int16_t)(stream[3 + tap] >> (16 * which) & 0xffffu);
        }
        dst[pixel * args->in_c + channel + which] = nibble_pairs_output_s16(
            &args->output, acc, rescale[which], rescale[2] >> (8 * which) & 0xffu);
      }
    stream = rescale + 3;
  }
}

/* The part of the image under a block, zeros outside, in `scratch`: [k_h][columns][in_c]. */
static inline void nibble_depthwise_s16s8_border(const nibble_window_s16* shape, const int16_t* src,
                                                 int32_t y, int32_t x, int32_t columns,
                                                 int16_t* scratch) {
  int32_t first = x < 0 ? -x : 0, end = shape->in_w - x < columns ? shape->in_w - x : columns;
  for (int32_t ky = 0; ky < shape->k_h; ++ky, y += shape->dilation_h) {
    if (y < 0 || y >= shape->in_h || first >= end) {
      nibble_put_row_s16(scratch, 0, 0, columns * shape->in_c);
    } else {
      nibble_put_row_s16(scratch, 0, 0, first * shape->in_c);
      nibble_put_row_s16(scratch, first * shape->in_c,
                         src + (y * shape->in_w + x + first) * shape->in_c,
                         (end - first) * shape->in_c);
      nibble_put_row_s16(scratch, end * shape->in_c, 0, (columns - end) * shape->in_c);
    }
    scratch += columns * shape->in_c;
  }
}

/* The last block of a row starts so early that it is whole. scratch: the part of the image under a
   block. */
static inline void nibble_depthwise_s16s8_pairs(const nibble_depthwise_s16s8_pairs_args* args,
                                                nibble_depthwise_s16s8_kernel kernel,
                                                const int16_t* src, int16_t* dst, int16_t* scratch,
                                                const uint32_t* stream, int32_t first_row,
                                                int32_t end_row) {
  const nibble_window_s16* shape = &args->shape;
  const uint32_t* end = stream + args->stream_words;
  int32_t columns = (args->pixels - 1) * shape->stride_w + (shape->k_w - 1) * shape->dilation_w + 1;
  int32_t row_bytes = 2 * shape->dilation_h * shape->in_w * shape->in_c;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * shape->stride_h - shape->pad_top;
      int32_t rows_inside = y >= 0 && y + (shape->k_h - 1) * shape->dilation_h < shape->in_h;
      for (int32_t ox = 0; ox < shape->out_w; ox += args->pixels) {
        int32_t at = ox + args->pixels <= shape->out_w ? ox : shape->out_w - args->pixels;
        int32_t x = at * shape->stride_w - shape->pad_left;
        int16_t* to = dst + (oy * shape->out_w + at) * shape->in_c;
        if (rows_inside && x >= 0 && x + columns <= shape->in_w) {
          kernel(src + (y * shape->in_w + x) * shape->in_c, stream, to, row_bytes, end);
        } else {
          nibble_depthwise_s16s8_border(shape, src, y, x, columns, scratch);
          kernel(scratch, stream, to, 2 * columns * shape->in_c, end);
        }
      }
    }
    src += shape->in_h * shape->in_w * shape->in_c;
    dst += args->out_h * shape->out_w * shape->in_c;
  }
}

#endif
