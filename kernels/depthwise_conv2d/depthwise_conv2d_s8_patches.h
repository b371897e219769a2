/* Depthwise convolution from patches of 4 x 4 pixels of one channel, as the functions for cores
   with 16-byte vectors (Helium) compute it from a packed stream; and the same in plain C.

   A slab holds up to 16 channels of some columns and of four rows: [column][channel][row], so that
   four columns of a channel gather into one vector, lane 4 * column + row. One such vector serves
   the outputs of up to two rows and two columns: their weights are the same 16 bytes, moved by one
   byte for the lower row and by four for the right column. A tile of outputs is one or two bands of
   such rows; a band has as many slabs as there are times four rows of taps. So 16 bytes hold a
   channel's weights of up to 4 x 4 taps, in the order of the lanes; where outputs share a patch,
   those have at most 3 x 3 taps, and 8 zero bytes precede the first channel. Tables: bias,
   multiplier, exponent of each channel. The input's zero point is part of the bias, so padding must
   hold it. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PATCHES_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PATCHES_H

#include "common/copy_s8.h"
#include "common/output_s8.h"
#include "common/window.h"

enum {
  NIBBLE_SLAB_CHANNELS = 16,
  NIBBLE_SLAB_COLUMN_BYTES = 64,
  NIBBLE_MAX_SLABS = 4,
  NIBBLE_MAX_BATCHES = 4
};

/* One call: a tile of outputs of some channels. The assembly knows this layout. */
typedef struct {
  const int8_t* slab;
  int8_t* dst;
  const int8_t* weights;
  const uint32_t* tables;
  const uint32_t* tables_end;
  /* From dst to the outputs of a batch of eight, lane by lane. */
  uint16_t offsets[NIBBLE_MAX_BATCHES][8];
} nibble_patches_s8;

typedef void (*nibble_patches_s8_function)(nibble_patches_s8* patches);

/* What is fixed in a function. A tile has bands * band_rows by `columns` outputs. */
typedef struct {
  int32_t bands;
  int32_t band_rows; /* rows of outputs that share a patch */
  int32_t columns;
  int32_t share; /* columns of outputs that share a patch */
  int32_t stride_w;
  int32_t dilation_w;
  int32_t row_chunks; /* of four taps */
  int32_t tap_chunks;
  int32_t slab_columns;
  int32_t dst_step; /* from channel to channel */
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  int32_t batches;
  /* Where the lanes' outputs lie in the tile. */
  uint8_t lane_row[NIBBLE_MAX_BATCHES][8];
  uint8_t lane_column[NIBBLE_MAX_BATCHES][8];
} nibble_patches_s8_shape;

/* The sum of products of the output in `row` and `column` of the tile. */
static inline int32_t nibble_patches_s8_sum(const nibble_patches_s8_shape* shape,
                                            const int8_t* slab, const int8_t* weights, int32_t row,
                                            int32_t column) {
  int32_t sum = 0, right = column % shape->share, lower = row % shape->band_rows;
  int32_t first = row / shape->band_rows * shape->row_chunks * shape->slab_columns +
                  (column - right) * shape->stride_w;
  for (int32_t y = 0; y < shape->row_chunks; ++y)
    for (int32_t x = 0; x < shape->tap_chunks; ++x, weights += 16)
      for (int32_t lane = 0; lane < 16; ++lane) {
        int32_t at = first + y * shape->slab_columns + (4 * x + lane / 4) * shape->dilation_w;
        sum += slab[at * NIBBLE_SLAB_COLUMN_BYTES + lane % 4] * weights[lane - lower - 4 * right];
      }
  return sum;
}

static inline void nibble_patches_s8_plain(const nibble_patches_s8_shape* shape,
                                           nibble_patches_s8* patches) {
  const int8_t *slab = patches->slab, *weights = patches->weights;
  int8_t* dst = patches->dst;
  for (const uint32_t* table = patches->tables; table != patches->tables_end; table += 3) {
    for (int32_t batch = 0; batch < shape->batches; ++batch)
      for (int32_t lane = 0; lane < 8; ++lane) {
        int32_t sum = nibble_patches_s8_sum(shape, slab, weights, shape->lane_row[batch][lane],
                                            shape->lane_column[batch][lane]);
        dst[patches->offsets[batch][lane]] = nibble_output_s8(
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
  const int8_t* rows[4];
  int32_t steps[4]; /* from column to column */
  int8_t* slab;
  int32_t columns;
  int32_t channels;
} nibble_slab_rows;

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_fill_slab(nibble_slab_rows* rows NIBBLE_UNUSED) {
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
static inline void nibble_fill_slab(nibble_slab_rows* rows) {
  for (int32_t column = 0; column < rows->columns; ++column)
    for (int32_t row = 0; row < 4; ++row)
      for (int32_t channel = 0; channel < rows->channels; ++channel)
        rows->slab[column * NIBBLE_SLAB_COLUMN_BYTES + 4 * channel + row] =
            rows->rows[row][column * rows->steps[row] + channel];
}
#endif

typedef struct {
  nibble_patches_s8_function function;
  const nibble_patches_s8_shape* shape;
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

/* A slab whose first row is source row y and whose windows start at column x; `rows` of its rows
   are wanted. What lies outside the image is filled in; the rest is `fill`. */
static inline void nibble_depthwise_slab(const nibble_depthwise_conv2d_s8_patches_args* args,
                                         const int8_t* src, int32_t y, int32_t rows, int32_t x,
                                         int8_t* slab, const int8_t* zeros,
                                         nibble_slab_rows* fill) {
  const nibble_patches_s8_shape* shape = args->shape;
  int32_t columns =
      (shape->columns - 1) * shape->stride_w + (args->k_w - 1) * shape->dilation_w + 1;
  int32_t first = x < 0 ? -x : 0, end = args->in_w - x;
  if (first > columns) first = columns;
  if (end > columns) end = columns;
  if (end < first) end = first;
  if (first > 0) nibble_fill_s8(slab, args->in_zero, first * NIBBLE_SLAB_COLUMN_BYTES);
  if (end < columns)
    nibble_fill_s8(slab + end * NIBBLE_SLAB_COLUMN_BYTES, args->in_zero,
                   (columns - end) * NIBBLE_SLAB_COLUMN_BYTES);
  for (int32_t i = 0; i < 4; ++i, y += args->dilation_h) {
    int32_t inside = i < rows && y >= 0 && y < args->in_h;
    fill->rows[i] = inside ? src + (y * args->in_w + x + first) * args->in_c : zeros;
    fill->steps[i] = inside ? args->in_c : 0;
  }
  fill->slab = slab + first * NIBBLE_SLAB_COLUMN_BYTES;
  fill->columns = end - first;
}

/* The next 16 channels, or the `channels` that are left, of a slab. */
static inline void nibble_depthwise_fill(nibble_slab_rows* fill, int32_t channels) {
  fill->channels = channels;
  if (fill->columns > 0) nibble_fill_slab(fill);
  for (int32_t i = 0; i < 4; ++i)
    if (fill->steps[i]) fill->rows[i] += NIBBLE_SLAB_CHANNELS;
}

/* Where the outputs of the batches go in an image whose rows are row_bytes and columns column_bytes
   apart. */
static inline void nibble_patches_s8_offsets(const nibble_patches_s8_shape* shape,
                                             nibble_patches_s8* patches, int32_t row_bytes,
                                             int32_t column_bytes) {
  for (int32_t batch = 0; batch < shape->batches; ++batch)
    for (int32_t lane = 0; lane < 8; ++lane)
      patches->offsets[batch][lane] = (uint16_t)(shape->lane_row[batch][lane] * row_bytes +
                                                 shape->lane_column[batch][lane] * column_bytes);
}

/* scratch, in multiples of 16 bytes: the slabs of a tile, 16 zero points, a tile of 16 input
   channels. The stream holds the weights of all channels (from byte 8 on), for each m of the
   multiplier, then their tables. out_w >= columns of a tile. */
NIBBLE_LOOP void nibble_depthwise_conv2d_s8_patches(
    const nibble_depthwise_conv2d_s8_patches_args* args, const int8_t* src, int8_t* dst,
    int8_t* scratch, const uint32_t* stream, int32_t first_row, int32_t end_row) {
  const nibble_patches_s8_shape* shape = args->shape;
  int32_t out_c = args->in_c * args->multiplier, tile_rows = shape->bands * shape->band_rows;
  int32_t slabs = shape->bands * shape->row_chunks;
  int32_t slab_bytes = shape->slab_columns * NIBBLE_SLAB_COLUMN_BYTES;
  int32_t channel_bytes = 16 * shape->row_chunks * shape->tap_chunks;
  const int8_t* weights = (const int8_t*)stream + 8;
  const uint32_t* tables = stream + 2 + out_c * channel_bytes / 4;
  int8_t *zeros = scratch + slabs * slab_bytes, *tile = zeros + 16;
  /* Fewer rows than a tile has: the tile goes to scratch first. */
  int32_t whole = end_row - first_row >= tile_rows;
  int32_t column_bytes = whole ? out_c : NIBBLE_SLAB_CHANNELS * args->multiplier;
  int32_t row_bytes = column_bytes * (whole ? args->out_w : shape->columns);
  nibble_patches_s8 patches;
  nibble_slab_rows fill[NIBBLE_MAX_SLABS];
  nibble_fill_s8(zeros, args->in_zero, 16);
  patches.slab = scratch;
  nibble_patches_s8_offsets(shape, &patches, row_bytes, column_bytes);
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t row = first_row; row < end_row; row += tile_rows) {
      int32_t oy = whole && row > end_row - tile_rows ? end_row - tile_rows : row;
      for (int32_t column = 0; column < args->out_w; column += shape->columns) {
        int32_t ox = column < args->out_w - shape->columns ? column : args->out_w - shape->columns;
        int8_t* to = dst + (oy * args->out_w + ox) * out_c;
        for (int32_t slab = 0; slab < slabs; ++slab) {
          int32_t chunk = slab % shape->row_chunks;
          int32_t y = (oy + slab / shape->row_chunks * shape->band_rows) * args->stride_h -
                      args->pad_top + 4 * chunk * args->dilation_h;
          nibble_depthwise_slab(args, src, y, args->k_h + shape->band_rows - 1 - 4 * chunk,
                                ox * shape->stride_w - args->pad_left, scratch + slab * slab_bytes,
                                zeros, &fill[slab]);
        }
        for (int32_t c = 0; c < args->in_c; c += NIBBLE_SLAB_CHANNELS) {
          int32_t channels = args->in_c - c;
          if (channels > NIBBLE_SLAB_CHANNELS) channels = NIBBLE_SLAB_CHANNELS;
          for (int32_t slab = 0; slab < slabs; ++slab) nibble_depthwise_fill(&fill[slab], channels);
          for (int32_t m = 0; m < args->multiplier; ++m, ++to) {
            int32_t at = m * args->in_c + c;
            patches.weights = weights + at * channel_bytes;
            patches.tables = tables + 3 * at;
            patches.tables_end = patches.tables + 3 * channels;
            patches.dst = whole ? to : tile;
            args->function(&patches);
            for (int32_t y = 0; !whole && y < end_row - first_row; ++y)
              for (int32_t x = 0; x < shape->columns; ++x)
                for (int32_t i = 0; i < channels; ++i)
                  to[(y * args->out_w + x) * out_c + i * args->multiplier] =
                      tile[y * row_bytes + x * column_bytes + i * args->multiplier];
          }
          to += (channels - 1) * args->multiplier;
        }
      }
    }
    src += args->in_h * args->in_w * args->in_c;
    dst += args->out_h * args->out_w * out_c;
  }
}

#endif
