/* Convolutions from blocks of pixels on cores with RISC-V vectors (common/vectors_s8.h): which
   pixels form a block, and where their windows lie: in the source, or in a copy where they reach
   over the border. */
#ifndef NIBBLE_CONV2D_CONV2D_S8_VECTORS_H
#define NIBBLE_CONV2D_CONV2D_S8_VECTORS_H

#include "common/copy_s8.h"
#include "common/vectors_s8.h"
#include "common/window.h"

typedef struct {
  nibble_vectors_s8_function function;
  int32_t pixels; /* of a block */
  int32_t batches;
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t out_c;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t in_zero;
  int32_t multiplier; /* where one serves all channels */
  int32_t shift;
} nibble_conv2d_s8_vectors_args;

static inline nibble_vectors_s8 nibble_conv2d_s8_vectors(const nibble_conv2d_s8_vectors_args* args,
                                                         const uint32_t* stream) {
  nibble_vectors_s8 blocks;
  blocks.src = NULL;
  blocks.dst = NULL;
  blocks.stream = stream;
  blocks.row_step = 0;
  blocks.src_step = args->pixels * args->stride_w * args->in_c;
  blocks.dst_step = args->pixels * args->out_c;
  blocks.blocks = 1;
  blocks.multiplier = args->multiplier;
  blocks.shift = args->shift;
  return blocks;
}

/* `count` >= pixels pixels in a row, their windows one byte run each: whole blocks, then one that
   ends with the last pixel. */
static inline void nibble_conv2d_s8_vector_strip(const nibble_conv2d_s8_vectors_args* args,
                                                 nibble_vectors_s8* blocks, const int8_t* src,
                                                 int8_t* dst, int32_t count) {
  blocks->src = src;
  blocks->dst = dst;
  blocks->blocks = count / args->pixels;
  args->function(blocks);
  if (count % args->pixels == 0) return;
  blocks->src = src + (count - args->pixels) * args->stride_w * args->in_c;
  blocks->dst = dst + (count - args->pixels) * args->out_c;
  blocks->blocks = 1;
  args->function(blocks);
}

/* 1 x 1 without padding; out_w >= pixels. */
NIBBLE_LOOP void nibble_conv2d_s8_vector_points(const nibble_conv2d_s8_vectors_args* args,
                                                const int8_t* src, int8_t* dst,
                                                const uint32_t* stream, int32_t first_row,
                                                int32_t end_row) {
  nibble_vectors_s8 blocks = nibble_conv2d_s8_vectors(args, stream);
  int32_t in_row = args->in_w * args->in_c, out_row = args->out_w * args->out_c;
  int32_t joined = args->stride_h == 1 && args->stride_w == 1 && args->in_w == args->out_w;
  if (first_row >= end_row) return;
  for (int32_t n = 0; n < args->batches; ++n) {
    if (joined) {
      nibble_conv2d_s8_vector_strip(args, &blocks, src + first_row * in_row,
                                    dst + first_row * out_row, (end_row - first_row) * args->out_w);
    } else {
      for (int32_t oy = first_row; oy < end_row; ++oy)
        nibble_conv2d_s8_vector_strip(args, &blocks, src + oy * args->stride_h * in_row,
                                      dst + oy * out_row, args->out_w);
    }
    src += args->in_h * in_row;
    dst += args->out_h * out_row;
  }
}

/* The windows of a block from row y and column x on, row behind row: `columns` columns, `step`
   apart. What is outside the image are zero points. */
static inline void nibble_conv2d_s8_vector_copy(const nibble_conv2d_s8_vectors_args* args,
                                                const int8_t* src, int32_t y, int32_t x,
                                                int32_t columns, int32_t step, int8_t* dst) {
  int32_t row_bytes = columns * args->in_c, src_row = args->in_w * args->in_c;
  int32_t first_row = nibble_first_tap(y, args->dilation_h);
  int32_t end_row = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h);
  int32_t first = nibble_first_tap(x, step);
  int32_t end = nibble_end_tap(x, args->in_w, columns, step);
  if (end_row - first_row < args->k_h || end - first < columns)
    nibble_fill_s8(dst, args->in_zero, args->k_h * row_bytes);
  if (end <= first) return;
  for (int32_t ky = first_row; ky < end_row; ++ky) {
    const int8_t* from = src + (y + ky * args->dilation_h) * src_row + x * args->in_c;
    int8_t* to = dst + ky * row_bytes;
    if (step == 1) {
      nibble_copy_s8(to + first * args->in_c, from + first * args->in_c,
                     (end - first) * args->in_c);
      continue;
    }
    for (int32_t kx = first; kx < end; ++kx)
      nibble_copy_s8(to + kx * args->in_c, from + kx * step * args->in_c, args->in_c);
  }
}

/* Windows of any kind; out_w >= pixels, and with dilation_w > 1 one pixel to a block. scratch holds
   the windows of a block. */
NIBBLE_LOOP void nibble_conv2d_s8_vector_windows(const nibble_conv2d_s8_vectors_args* args,
                                                 const int8_t* src, int8_t* dst, int8_t* scratch,
                                                 const uint32_t* stream, int32_t first_row,
                                                 int32_t end_row) {
  nibble_vectors_s8 blocks = nibble_conv2d_s8_vectors(args, stream);
  int32_t columns = (args->pixels - 1) * args->stride_w + args->k_w;
  int32_t block_columns = args->pixels * args->stride_w;
  int32_t rows = (args->k_h - 1) * args->dilation_h + 1;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * args->stride_h - args->pad_top;
      int32_t direct = y >= 0 && y + rows <= args->in_h && args->dilation_w == 1;
      int32_t ox = 0;
      while (ox < args->out_w) {
        int32_t last = args->out_w - args->pixels;
        int32_t at = ox < last ? ox : last;
        int32_t x = at * args->stride_w - args->pad_left;
        blocks.dst = dst + (oy * args->out_w + at) * args->out_c;
        blocks.blocks = 1;
        if (direct && x >= 0 && x + columns <= args->in_w) {
          int32_t more = (last - at) / args->pixels;
          int32_t inside = (args->in_w - columns - x) / block_columns;
          blocks.blocks += more < inside ? more : inside;
          blocks.src = src + (y * args->in_w + x) * args->in_c;
          blocks.row_step = args->dilation_h * args->in_w * args->in_c;
        } else {
          nibble_conv2d_s8_vector_copy(args, src, y, x, columns, args->dilation_w, scratch);
          blocks.src = scratch;
          blocks.row_step = columns * args->in_c;
        }
        ox = at + blocks.blocks * args->pixels;
        args->function(&blocks);
      }
    }
    src += args->in_h * args->in_w * args->in_c;
    dst += args->out_h * args->out_w * args->out_c;
  }
}

#endif
