/* Convolutions from blocks of pixels (common/blocks_s8.h): which pixels form a block, and where
   their windows lie. Three ways: 1 x 1 straight from the source; windows straight from the source,
   or from a copy where they reach over the border; one run per pixel, gathered. */
#ifndef NIBBLE_CONV2D_CONV2D_S8_BLOCKS_H
#define NIBBLE_CONV2D_CONV2D_S8_BLOCKS_H

#include "common/blocks_s8.h"
#include "common/copy_s8.h"
#include "common/window.h"

typedef struct {
  nibble_blocks_s8_function function;
  int32_t pixels; /* of a block */
  int32_t channels;
  int32_t stream_words;
  int32_t pixel_bytes; /* gathered: of a pixel's run with its padding */
  int32_t read_beyond; /* windows: columns that are read behind the last */
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
  int32_t multiplier; /* where one serves all channels of eight */
  int32_t exponent;
} nibble_conv2d_s8_blocks_args;

static inline int32_t nibble_at_most(int32_t value, int32_t high) {
  return value < high ? value : high;
}

/* What the calls of a layer have in common. `count` pixels of a block have places of their own; the
   others repeat the last. */
static inline nibble_blocks_s8 nibble_conv2d_s8_blocks(const nibble_conv2d_s8_blocks_args* args,
                                                       const uint32_t* stream, int32_t count) {
  nibble_blocks_s8 blocks;
  blocks.src = NULL;
  blocks.dst = NULL;
  blocks.stream = stream;
  blocks.stream_end = stream + args->stream_words;
  blocks.row_step = 0;
  blocks.src_step = args->pixels * args->stride_w * args->in_c;
  blocks.dst_step = args->pixels * args->out_c;
  blocks.blocks = 1;
  blocks.multiplier = args->multiplier;
  blocks.exponent = args->exponent;
  blocks.runs = NULL;
  if (args->channels == 8) return blocks;
  for (int32_t lane = 0; lane < 8; ++lane) {
    int32_t pixel = args->channels == 2 ? lane / 2 : lane % 2;
    int32_t channel = args->channels == 2 ? lane % 2 : lane / 2;
    blocks.offsets[lane] = (uint16_t)(nibble_at_most(pixel, count - 1) * args->out_c +
                                      nibble_at_most(channel, args->out_c - 1));
  }
  return blocks;
}

/* `count` >= pixels outputs in a row whose sources lie stride_w apart, in whole blocks; the last
   starts earlier if it has to. */
static inline void nibble_conv2d_s8_strip(const nibble_conv2d_s8_blocks_args* args,
                                          nibble_blocks_s8* blocks, const int8_t* src, int8_t* dst,
                                          int32_t count) {
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
NIBBLE_LOOP void nibble_conv2d_s8_pointwise(const nibble_conv2d_s8_blocks_args* args,
                                            const int8_t* src, int8_t* dst, const uint32_t* stream,
                                            int32_t first_row, int32_t end_row) {
  nibble_blocks_s8 blocks = nibble_conv2d_s8_blocks(args, stream, args->pixels);
  int32_t in_row = args->in_w * args->in_c, out_row = args->out_w * args->out_c;
  int32_t joined = args->stride_h == 1 && args->in_w == args->out_w;
  for (int32_t n = 0; n < args->batches; ++n) {
    if (joined) {
      nibble_conv2d_s8_strip(args, &blocks, src + first_row * in_row, dst + first_row * out_row,
                             (end_row - first_row) * args->out_w);
    } else {
      for (int32_t oy = first_row; oy < end_row; ++oy)
        nibble_conv2d_s8_strip(args, &blocks, src + oy * args->stride_h * in_row,
                               dst + oy * out_row, args->out_w);
    }
    src += args->in_h * in_row;
    dst += args->out_h * out_row;
  }
}

/* A window of k_h rows and `columns` columns from row y and column x on, row behind row; what is
   outside the image are zero points. */
static inline void nibble_copy_window(const nibble_conv2d_s8_blocks_args* args, const int8_t* src,
                                      int32_t y, int32_t x, int32_t columns, int8_t* dst) {
  int32_t row_bytes = columns * args->in_c, src_row = args->in_w * args->in_c;
  int32_t first_row = nibble_at_most(nibble_first_tap(y, args->dilation_h), args->k_h);
  int32_t rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - first_row;
  int32_t first = nibble_at_most(x < 0 ? -x : 0, columns);
  int32_t inside = nibble_at_most(args->in_w - x, columns) - first;
  if (rows < args->k_h || inside < columns)
    nibble_fill_s8(dst, args->in_zero, args->k_h * row_bytes);
  if (rows <= 0 || inside <= 0) return;
  nibble_copy_rows_s8(dst + first_row * row_bytes + first * args->in_c, row_bytes,
                      src + (y + first_row * args->dilation_h) * src_row + (x + first) * args->in_c,
                      args->dilation_h * src_row, rows, inside * args->in_c);
}

/* Windows of whole taps, or whose rows the function joins to runs; out_w >= pixels. scratch holds
   the windows of a block, k_h rows, and `read_beyond` more columns; then, from the next multiple of
   16 on, the runs. */
NIBBLE_LOOP void nibble_conv2d_s8_windows(const nibble_conv2d_s8_blocks_args* args,
                                          const int8_t* src, int8_t* dst, int8_t* scratch,
                                          const uint32_t* stream, int32_t first_row,
                                          int32_t end_row) {
  nibble_blocks_s8 blocks = nibble_conv2d_s8_blocks(args, stream, args->pixels);
  int32_t columns = (args->pixels - 1) * args->stride_w + (args->k_w - 1) * args->dilation_w + 1;
  int32_t block_columns = args->pixels * args->stride_w;
  int32_t rows = (args->k_h - 1) * args->dilation_h + 1;
  int32_t read_columns = columns + args->read_beyond;
  blocks.runs = scratch + (((args->k_h * columns + args->read_beyond) * args->in_c + 15) & ~15);
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * args->stride_h - args->pad_top;
      int32_t inside = y >= 0 && y + rows <= args->in_h;
      int32_t ox = 0;
      while (ox < args->out_w) {
        int32_t at = nibble_at_most(ox, args->out_w - args->pixels);
        int32_t x = at * args->stride_w - args->pad_left;
        blocks.dst = dst + (oy * args->out_w + at) * args->out_c;
        blocks.blocks = 1;
        if (inside && x >= 0 && x + read_columns <= args->in_w) {
          int32_t more = (args->out_w - args->pixels - at) / args->pixels;
          blocks.blocks += nibble_at_most(more, (args->in_w - read_columns - x) / block_columns);
          blocks.src = src + (y * args->in_w + x) * args->in_c;
          blocks.row_step = args->dilation_h * args->in_w * args->in_c;
        } else {
          nibble_copy_window(args, src, y, x, columns, scratch);
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

/* A pixel's window as one run. */
static inline void nibble_gather_pixel(const nibble_conv2d_s8_blocks_args* args, const int8_t* src,
                                       int32_t pixel, int8_t* run) {
  int32_t y = pixel / args->out_w * args->stride_h - args->pad_top;
  int32_t x = pixel % args->out_w * args->stride_w - args->pad_left;
  if (args->dilation_w == 1) {
    nibble_copy_window(args, src, y, x, args->k_w, run);
    return;
  }
  for (int32_t ky = 0; ky < args->k_h; ++ky, y += args->dilation_h)
    for (int32_t kx = 0; kx < args->k_w; ++kx, run += args->in_c) {
      int32_t ix = x + kx * args->dilation_w;
      if (y >= 0 && y < args->in_h && ix >= 0 && ix < args->in_w)
        nibble_copy_s8(run, src + (y * args->in_w + ix) * args->in_c, args->in_c);
      else
        nibble_fill_s8(run, args->in_zero, args->in_c);
    }
}

/* Any convolution without groups: scratch holds a run of pixel_bytes for each pixel of a block. */
NIBBLE_LOOP void nibble_conv2d_s8_gathered(const nibble_conv2d_s8_blocks_args* args,
                                           const int8_t* src, int8_t* dst, int8_t* scratch,
                                           const uint32_t* stream, int32_t first_row,
                                           int32_t end_row) {
  int32_t first = first_row * args->out_w, end = end_row * args->out_w;
  int32_t count = nibble_at_most(end - first, args->pixels);
  nibble_blocks_s8 blocks = nibble_conv2d_s8_blocks(args, stream, count);
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t pixel = first; pixel < end; pixel += count) {
      pixel = nibble_at_most(pixel, end - count);
      for (int32_t i = 0; i < args->pixels; ++i)
        nibble_gather_pixel(args, src, pixel + nibble_at_most(i, count - 1),
                            scratch + i * args->pixel_bytes);
      blocks.src = scratch;
      blocks.dst = dst + pixel * args->out_c;
      blocks.blocks = 1;
      args->function(&blocks);
    }
    src += args->in_h * args->in_w * args->in_c;
    dst += args->out_h * args->out_w * args->out_c;
  }
}

#endif
