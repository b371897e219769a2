/* Depthwise convolution from patches of 4 x 4 pixels of one channel, as the functions for cores with
   16-byte vectors (Helium) compute it from a packed stream; and the same in plain C.

   A slab holds up to 16 channels of some columns and of four rows (or of several times four, one
   after the other): [four rows][column][channel][row], so that four columns of a channel gather into
   one vector, lane 4 * column + row. One such vector serves the outputs of up to two rows and two
   columns: their weights are the same 16 bytes, moved by one byte for the lower row and by four for
   the right column. So 16 bytes hold a channel's weights of up to 4 x 4 taps, in the order of the
   lanes; where outputs share a patch, those have at most 3 x 3 taps, and 8 zero bytes precede the
   first channel.
   Tables: bias, multiplier, exponent of each channel. The input's zero point is part of the bias, so
   padding must hold it. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PATCHES_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PATCHES_H

#include "common/copy_s8.h"
#include "common/output_s8.h"
#include "common/window.h"

enum { NIBBLE_SLAB_CHANNELS = 16, NIBBLE_SLAB_COLUMN_BYTES = 64 };

/* One call: a tile of outputs of some channels. The assembly knows this layout. */
typedef struct {
  const int8_t *slab;
  int8_t *dst;
  const int8_t *weights;
  const uint32_t *tables;
  const uint32_t *tables_end;
  /* From dst to the outputs of a batch of eight, lane by lane: of the full batches, of the last. */
  uint16_t offsets[2][8];
  int32_t batch_step; /* in dst, from the first batch to the second */
} nibble_patches_s8;

typedef void (*nibble_patches_s8_function)(nibble_patches_s8 *patches);

/* What is fixed in a function. A tile has `rows` by `columns` outputs. */
typedef struct {
  int32_t rows;
  int32_t columns;
  int32_t share;        /* columns of outputs that share a patch */
  int32_t stride_w;
  int32_t dilation_w;
  int32_t row_chunks;   /* of four taps */
  int32_t tap_chunks;
  int32_t slab_columns;
  int32_t dst_step;     /* from channel to channel */
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  uint8_t batch_columns;
  uint8_t lane_row[2][8]; /* of the lanes' outputs in full batches and the last */
  uint8_t lane_column[2][8];
} nibble_patches_s8_shape;

/* Bytes that a slab of a function occupies; behind the last column a patch may reach over. */
static inline int32_t nibble_slab_bytes(const nibble_patches_s8_shape *shape) {
  return shape->row_chunks * shape->slab_columns * NIBBLE_SLAB_COLUMN_BYTES;
}

/* The sum of products of the output in `row` and `column` of the tile. */
static inline int32_t nibble_patches_s8_sum(const nibble_patches_s8_shape *shape,
                                            const int8_t *slab, const int8_t *weights, int32_t row,
                                            int32_t column) {
  int32_t sum = 0, right = column % shape->share;
  const int8_t *patch =
      slab + (column - right) * shape->stride_w * NIBBLE_SLAB_COLUMN_BYTES;
  for (int32_t y = 0; y < shape->row_chunks; ++y)
    for (int32_t x = 0; x < shape->tap_chunks; ++x, weights += 16)
      for (int32_t lane = 0; lane < 16; ++lane) {
        int32_t at = y * shape->slab_columns + (4 * x + lane / 4) * shape->dilation_w;
        sum += patch[at * NIBBLE_SLAB_COLUMN_BYTES + lane % 4] * weights[lane - row - 4 * right];
      }
  return sum;
}

static inline void nibble_patches_s8_plain(const nibble_patches_s8_shape *shape,
                                           nibble_patches_s8 *patches) {
  const int8_t *slab = patches->slab, *weights = patches->weights;
  int8_t *dst = patches->dst;
  int32_t batches = (shape->columns + shape->batch_columns - 1) / shape->batch_columns;
  for (const uint32_t *table = patches->tables; table != patches->tables_end; table += 3) {
    for (int32_t batch = 0; batch < batches; ++batch)
      for (int32_t lane = 0; lane < 8; ++lane) {
        int32_t last = batch + 1 == batches;
        int32_t sum = nibble_patches_s8_sum(
            shape, slab, weights, shape->lane_row[last][lane],
            batch * shape->batch_columns + shape->lane_column[last][lane]);
        dst[batch * patches->batch_step + patches->offsets[last][lane]] = nibble_output_s8(
            (int32_t)(table[0] + (uint32_t)sum), (int32_t)table[1], (int32_t)table[2],
            shape->rounding, shape->out_zero, shape->act_min, shape->act_max);
      }
    slab += 4;
    weights += 16 * shape->row_chunks * shape->tap_chunks;
    dst += shape->dst_step;
  }
}

/* Four rows of columns of up to 16 channels, interleaved into a slab. */
typedef struct {
  const int8_t *rows[4];
  int32_t steps[4]; /* from column to column */
  int8_t *slab;
  int32_t columns;
  int32_t channels;
} nibble_slab_rows;

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_fill_slab(nibble_slab_rows *rows NIBBLE_UNUSED) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r10, lr}\n"
      "ldrd r9, lr, [r0, #32]\n"
      "ldr r10, [r0, #40]\n"
      "vctp.8 r10\n"
      "ldm r0, {r1-r8}\n"
      "dls lr, lr\n"
      "1:\n"
      "vpstttt\n"
      "vldrbt.u8 q0, [r1]\n"
      "vldrbt.u8 q1, [r2]\n"
      "vldrbt.u8 q2, [r3]\n"
      "vldrbt.u8 q3, [r4]\n"
      "add r1, r1, r5\n"
      "add r2, r2, r6\n"
      "add r3, r3, r7\n"
      "add r4, r4, r8\n"
      "vst40.8 {q0, q1, q2, q3}, [r9]\n"
      "vst41.8 {q0, q1, q2, q3}, [r9]\n"
      "vst42.8 {q0, q1, q2, q3}, [r9]\n"
      "vst43.8 {q0, q1, q2, q3}, [r9]!\n"
      "le lr, 1b\n"
      "pop {r4-r10, pc}\n");
}
NIBBLE_ASSEMBLY_END
#else
static inline void nibble_fill_slab(nibble_slab_rows *rows) {
  for (int32_t column = 0; column < rows->columns; ++column)
    for (int32_t row = 0; row < 4; ++row)
      for (int32_t channel = 0; channel < rows->channels; ++channel)
        rows->slab[column * NIBBLE_SLAB_COLUMN_BYTES + 4 * channel + row] =
            rows->rows[row][column * rows->steps[row] + channel];
}
#endif

typedef struct {
  nibble_patches_s8_function function;
  const nibble_patches_s8_shape *shape;
  int32_t batches;
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_h;
  int32_t out_w;
  int32_t multiplier; /* output channels of an input channel */
  int32_t k_h;
  int32_t k_w;
  int32_t stride_h;
  int32_t dilation_h;
  int32_t pad_top;
  int32_t pad_left;
  int32_t in_zero;
} nibble_depthwise_conv2d_s8_patches_args;

/* The slab of a tile whose windows start at source row y and column x; `zeros` holds 16 zero
   points. */
static inline void nibble_depthwise_slab(const nibble_depthwise_conv2d_s8_patches_args *args,
                                         const int8_t *src, int32_t y, int32_t x, int32_t channels,
                                         int8_t *slab, const int8_t *zeros) {
  const nibble_patches_s8_shape *shape = args->shape;
  int32_t columns = (shape->columns - 1) * shape->stride_w + (args->k_w - 1) * shape->dilation_w + 1;
  int32_t rows = args->k_h + (shape->rows - 1);
  int32_t first = x < 0 ? -x : 0, end = args->in_w - x;
  if (first > columns) first = columns;
  if (end > columns) end = columns;
  if (end < first) end = first;
  for (int32_t chunk = 0; chunk < shape->row_chunks; ++chunk) {
    int8_t *to = slab + chunk * shape->slab_columns * NIBBLE_SLAB_COLUMN_BYTES;
    if (first > 0) nibble_fill_s8(to, args->in_zero, first * NIBBLE_SLAB_COLUMN_BYTES);
    if (end < columns)
      nibble_fill_s8(to + end * NIBBLE_SLAB_COLUMN_BYTES, args->in_zero,
                     (columns - end) * NIBBLE_SLAB_COLUMN_BYTES);
    if (end == first) continue;
    nibble_slab_rows fill;
    for (int32_t i = 0; i < 4; ++i) {
      int32_t row = 4 * chunk + i, iy = y + row * args->dilation_h;
      int32_t inside = row < rows && iy >= 0 && iy < args->in_h;
      fill.rows[i] = inside ? src + (iy * args->in_w + x + first) * args->in_c : zeros;
      fill.steps[i] = inside ? args->in_c : 0;
    }
    fill.slab = to + first * NIBBLE_SLAB_COLUMN_BYTES;
    fill.columns = end - first;
    fill.channels = channels;
    nibble_fill_slab(&fill);
  }
}

/* Where the outputs of a batch go in an image whose rows are row_bytes and columns column_bytes
   apart. */
static inline void nibble_patches_s8_offsets(const nibble_patches_s8_shape *shape,
                                             nibble_patches_s8 *patches, int32_t row_bytes,
                                             int32_t column_bytes) {
  for (int32_t last = 0; last < 2; ++last)
    for (int32_t lane = 0; lane < 8; ++lane)
      patches->offsets[last][lane] = (uint16_t)(shape->lane_row[last][lane] * row_bytes +
                                                shape->lane_column[last][lane] * column_bytes);
  patches->batch_step = shape->batch_columns * column_bytes;
}

/* scratch: the slab, 16 zero points, and a tile of 16 channels, each aligned to 16. The stream holds
   the weights of all channels (from byte 8 on), for each m of the multiplier, then their tables.
   out_w >= columns of a tile. */
NIBBLE_LOOP void nibble_depthwise_conv2d_s8_patches(
    const nibble_depthwise_conv2d_s8_patches_args *args, const int8_t *src, int8_t *dst,
    int8_t *scratch, const uint32_t *stream, int32_t first_row, int32_t end_row) {
  const nibble_patches_s8_shape *shape = args->shape;
  int32_t out_c = args->in_c * args->multiplier;
  int32_t channel_bytes = 16 * shape->row_chunks * shape->tap_chunks;
  const int8_t *weights = (const int8_t *)stream + 8;
  const uint32_t *tables = stream + 2 + out_c * channel_bytes / 4;
  int8_t *zeros = scratch + nibble_slab_bytes(shape), *tile = zeros + 16;
  nibble_patches_s8 patches;
  /* Fewer rows than a tile has: the tile goes to scratch first. */
  int32_t whole = end_row - first_row >= shape->rows;
  int32_t column_bytes = whole ? out_c : NIBBLE_SLAB_CHANNELS * args->multiplier;
  nibble_fill_s8(zeros, args->in_zero, 16);
  patches.slab = scratch;
  nibble_patches_s8_offsets(shape, &patches, column_bytes * (whole ? args->out_w : shape->columns),
                            column_bytes);
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t row = first_row; row < end_row; row += shape->rows) {
      int32_t oy = whole && row > end_row - shape->rows ? end_row - shape->rows : row;
      for (int32_t column = 0; column < args->out_w; column += shape->columns) {
        int32_t ox = column < args->out_w - shape->columns ? column : args->out_w - shape->columns;
        for (int32_t c = 0; c < args->in_c; c += NIBBLE_SLAB_CHANNELS) {
          int32_t channels = args->in_c - c;
          if (channels > NIBBLE_SLAB_CHANNELS) channels = NIBBLE_SLAB_CHANNELS;
          nibble_depthwise_slab(args, src + c, oy * args->stride_h - args->pad_top,
                                ox * shape->stride_w - args->pad_left, channels, scratch, zeros);
          for (int32_t m = 0; m < args->multiplier; ++m) {
            int32_t at = m * args->in_c + c;
            int8_t *to = dst + (oy * args->out_w + ox) * out_c + c * args->multiplier + m;
            patches.weights = weights + at * channel_bytes;
            patches.tables = tables + 3 * at;
            patches.tables_end = patches.tables + 3 * channels;
            patches.dst = whole ? to : tile;
            args->function(&patches);
            for (int32_t x = 0; !whole && x < shape->columns; ++x)
              for (int32_t i = 0; i < channels; ++i)
                to[x * out_c + i * args->multiplier] =
                    tile[x * column_bytes + i * args->multiplier];
          }
        }
      }
    }
    src += args->in_h * args->in_w * args->in_c;
    dst += args->out_h * args->out_w * out_c;
  }
}

#endif
