/* conv2d_s8 (without groups) and dense_s8 with several rows, by blocks of channels whose inner
   products take two multiply-accumulates at a time (common/words_s8.h). The windows of some rows of
   outputs are widened once, then the weights of each block once for all these outputs.

   The stream holds for each block of channels its weights (for each run, each group, each channel
   four bytes), its start values, its rescaling, and the number of its extras before them; channels
   past the last are empty. */
#ifndef NIBBLE_CONV2D_CONV2D_S8_WORDS_H
#define NIBBLE_CONV2D_CONV2D_S8_WORDS_H

#include "common/words_s8.h"

typedef struct {
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
  int32_t tile_rows; /* rows of dst whose windows are widened together */
  int32_t gathered; /* every pixel has its window for itself; otherwise in_c % 4 == 0 and dilation_w
                       == 1 */
  int32_t x_words;  /* of the windows; in scratch the weights of a block follow */
} nibble_conv2d_s8_words_shape;

typedef struct {
  nibble_words_s8_block block;
  nibble_words_s8_widen widen;
  int32_t lanes;         /* channels of a block */
  int32_t rescale_words; /* of a channel */
} nibble_conv2d_s8_words_core;

/* `columns` columns of source row y from column x on, as words. */
static inline void nibble_words_widen_row(const nibble_conv2d_s8_words_shape* shape,
                                          const nibble_conv2d_s8_words_core* core,
                                          const int8_t* src, int32_t y, int32_t x, int32_t columns,
                                          uint32_t* words) {
  uint32_t zeros = nibble_word_of(shape->in_zero, shape->in_zero);
  int32_t column_words = shape->in_c / 2;
  int32_t first = x < 0 ? -x : 0, end = shape->in_w - x;
  uint32_t* last = words + columns * column_words;
  if (first > columns) first = columns;
  if (end > columns) end = columns;
  if (y < 0 || y >= shape->in_h || end <= first) first = end = columns;
  for (uint32_t* stop = words + first * column_words; words != stop;) *words++ = zeros;
  if (end > first) {
    core->widen(src + (y * shape->in_w + x + first) * shape->in_c, words,
                (end - first) * shape->in_c / 4);
    words += (end - first) * column_words;
  }
  while (words != last) *words++ = zeros;
}

/* `columns` neighbouring columns of source row y from column x on, as bytes. */
static inline int8_t* nibble_words_copy_row(const nibble_conv2d_s8_words_shape* shape,
                                            const int8_t* src, int32_t y, int32_t x,
                                            int32_t columns, int8_t* bytes) {
  int32_t first = x < 0 ? -x : 0, end = shape->in_w - x;
  int8_t* last = bytes + columns * shape->in_c;
  if (end > columns) end = columns;
  if (y >= 0 && y < shape->in_h && end > first) {
    const int8_t* from = src + (y * shape->in_w + x + first) * shape->in_c;
    for (int8_t* stop = bytes + first * shape->in_c; bytes != stop;)
      *bytes++ = (int8_t)shape->in_zero;
    for (int8_t* stop = bytes + (end - first) * shape->in_c; bytes != stop;) *bytes++ = *from++;
  }
  while (bytes != last) *bytes++ = (int8_t)shape->in_zero;
  return bytes;
}

/* The window at (y, x) as bytes in the order of the taps. */
static inline void nibble_words_gather(const nibble_conv2d_s8_words_shape* shape, const int8_t* src,
                                       int32_t y, int32_t x, int8_t* bytes) {
  for (int32_t ky = 0; ky < shape->k_h; ++ky, y += shape->dilation_h) {
    if (shape->dilation_w == 1) {
      bytes = nibble_words_copy_row(shape, src, y, x, shape->k_w, bytes);
      continue;
    }
    for (int32_t kx = 0; kx < shape->k_w; ++kx)
      bytes = nibble_words_copy_row(shape, src, y, x + kx * shape->dilation_w, 1, bytes);
  }
}

/* The windows of `rows` rows of dst from row oy on. */
NIBBLE_LOOP void nibble_words_windows(const nibble_conv2d_s8_words_shape* shape,
                                      const nibble_conv2d_s8_words_core* core, const int8_t* src,
                                      int32_t oy, int32_t rows, uint32_t* words, int8_t* bytes) {
  int32_t y = oy * shape->stride_h - shape->pad_top;
  if (!shape->gathered) {
    int32_t columns = (shape->out_w - 1) * shape->stride_w + shape->k_w;
    int32_t end = y + (rows - 1) * shape->stride_h + (shape->k_h - 1) * shape->dilation_h + 1;
    for (; y < end; ++y, words += columns * shape->in_c / 2)
      nibble_words_widen_row(shape, core, src, y, -shape->pad_left, columns, words);
    return;
  }
  int32_t groups = (shape->k_h * shape->k_w * shape->in_c + 3) / 4;
  for (; rows > 0; --rows, y += shape->stride_h) {
    int32_t x = -shape->pad_left;
    for (int32_t ox = 0; ox < shape->out_w; ++ox, x += shape->stride_w, words += 2 * groups) {
      nibble_words_gather(shape, src, y, x, bytes);
      core->widen(bytes, words, groups);
    }
  }
}

/* One row of pixels of a block; of its channels only `channels` exist. */
static inline void nibble_words_row(const nibble_conv2d_s8_words_core* core, nibble_words_s8* block,
                                    const uint32_t* x, int8_t* dst, int32_t pixels,
                                    int32_t channels) {
  block->x = x;
  block->dst = dst;
  block->pixels = pixels;
  if (channels >= core->lanes) {
    core->block(block);
    return;
  }
  int32_t dst_step = block->dst_step;
  block->dst_step = 0;
  for (; pixels > 0; --pixels, dst += dst_step) {
    int8_t outputs[4];
    block->x = x;
    block->dst = outputs;
    block->pixels = 1;
    core->block(block);
    for (int32_t c = 0; c < channels; ++c) dst[c] = outputs[c];
    x = (const uint32_t*)(const void*)((const int8_t*)x + block->x_step);
  }
  block->dst_step = dst_step;
}

NIBBLE_LOOP void nibble_conv2d_s8_words(const nibble_conv2d_s8_words_shape* shape,
                                        const nibble_conv2d_s8_words_core* core, const int8_t* src,
                                        int8_t* dst, uint32_t* scratch, const uint32_t* stream,
                                        int32_t first_row, int32_t end_row) {
  int32_t run_taps = shape->k_w * shape->in_c, out_row = shape->out_w * shape->out_c;
  int32_t columns = (shape->out_w - 1) * shape->stride_w + shape->k_w;
  int32_t row_words = columns * shape->in_c / 2; /* of a row of windows */
  /* One row of pixels per row of dst, or one for all rows of a tile. */
  int32_t joined = shape->gathered || (shape->k_h == 1 && columns == shape->out_w &&
                                       shape->stride_h == 1 && shape->k_w == 1);
  uint32_t* wide = scratch + shape->x_words;
  nibble_words_s8 block;
  block.dst_step = shape->out_c;
  if (shape->gathered) {
    block.runs = 1;
    block.run_groups = (shape->k_h * run_taps + 3) / 4;
    block.x_step = 8 * block.run_groups;
    block.run_skip = 0;
  } else {
    block.runs = shape->k_h;
    block.run_groups = run_taps / 4;
    block.x_step = 2 * shape->stride_w * shape->in_c;
    block.run_skip = 4 * shape->dilation_h * row_words - 8 * block.run_groups;
  }
  block.weights = wide;
  int32_t block_words = block.runs * block.run_groups * core->lanes;
  for (int32_t n = 0; n < shape->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; oy += shape->tile_rows) {
      int32_t rows = end_row - oy < shape->tile_rows ? end_row - oy : shape->tile_rows;
      const uint32_t* weights = stream;
      int8_t* to = dst + oy * out_row;
      nibble_words_windows(shape, core, src, oy, rows, scratch, (int8_t*)wide);
      for (int32_t channel = 0; channel < shape->out_c; channel += core->lanes) {
        core->widen(weights, wide, block_words);
        block.start = weights + block_words;
        block.rescale = block.start + core->lanes;
        block.extras = block.rescale + core->lanes * core->rescale_words;
        weights = block.extras + 1 + *block.extras;
        if (joined) {
          nibble_words_row(core, &block, scratch, to + channel, rows * shape->out_w,
                           shape->out_c - channel);
          continue;
        }
        for (int32_t row = 0; row < rows; ++row)
          nibble_words_row(core, &block, scratch + row * shape->stride_h * row_words,
                           to + row * out_row + channel, shape->out_w, shape->out_c - channel);
      }
    }
    src += shape->in_h * shape->in_w * shape->in_c;
    dst += shape->out_h * out_row;
  }
}

#endif
