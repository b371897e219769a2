/* Blocks of pixels times groups of output channels, as the functions for cores with 16-byte vectors
   (Helium) compute them from a packed stream of weights; and the same in plain C.

   A block has `pixels` output pixels, whose windows lie `pixel_pitch` bytes apart. A window has
   `rows` rows, `row_step` bytes apart; a row has `taps` taps, `tap_pitch` bytes apart; a tap has
   `vectors` vectors of 16 bytes, of which the last has `tail` bytes that are read (the others count
   as 0).

   The stream holds the groups of `channels` output channels in turn. The first group that is not
   full starts over at out_c - channels, so that all groups are full; with fewer channels than
   that, the last one repeats. A group, in words of four bytes:
     channels 8: bias of the eight
     weights: for each row, for each up to three taps (a chunk), for each vector, for each tap of
   the chunk, for each channel: 16 bytes, 0 where there is no tap channels 2: bias, multiplier,
   exponent of each channel channels 4: bias of the four, multiplier of the four, exponent of the
   four channels 8: multiplier and exponent of channels 0 2 4 6, then of 1 3 5 7; not where the
              whole layer has the same ("uniform", with eight channels only)
     last_step != channels: the distance to the next group's first channel
   The input's zero point is part of the bias, so padding must hold it.

   With gather_rows > 0 the block's windows are first joined, each to one run of rows * run bytes,
   in `runs`, pixel_pitch apart; then rows and taps are 1. All loads and stores take 16 bytes,
   beyond the ends of windows and runs. */
#ifndef NIBBLE_COMMON_BLOCKS_S8_H
#define NIBBLE_COMMON_BLOCKS_S8_H

#include "common/nibble_common.h"
#include "common/output_s8.h"

/* What one call computes: `blocks` blocks along a row. The assembly knows this layout, and changes
   src, dst and blocks. */
typedef struct {
  const int8_t* src;
  int8_t* dst;
  const uint32_t* stream;
  const uint32_t* stream_end;
  int32_t row_step;
  int32_t src_step; /* from block to block */
  int32_t dst_step;
  int32_t blocks;
  /* Where the outputs of a group go, from dst on: lane 2 * pixel + channel with two channels, 2 *
     channel + pixel with four; not used with eight. */
  uint16_t offsets[8];
  /* Of all channels, if uniform. */
  int32_t multiplier;
  int32_t exponent;
  int8_t* runs;
} nibble_blocks_s8;

typedef void (*nibble_blocks_s8_function)(nibble_blocks_s8* blocks);

/* What is fixed in a function. */
typedef struct {
  int32_t pixels;
  int32_t channels;
  int32_t rows;
  int32_t taps;
  int32_t vectors;
  int32_t tail;
  int32_t pixel_pitch;
  int32_t tap_pitch;
  int32_t stepped; /* groups hold the distance to the next group */
  int32_t stored;  /* with eight channels: how many of them are */
  int32_t uniform;
  int32_t gather_rows;
  int32_t gather_run;   /* bytes of a window's row */
  int32_t gather_pitch; /* from window to window in src */
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_blocks_s8_shape;

/* src may be read beyond a run's end where `tail` is 16: those bytes meet weights of 0. */
static inline int32_t nibble_blocks_s8_vector(const int8_t* src, const uint32_t* weights,
                                              int32_t lanes) {
  int32_t sum = 0;
  for (int32_t lane = 0; lane < lanes; ++lane)
    sum += src[lane] * (int8_t)((weights[lane / 4] >> (8 * (lane % 4))) & 0xffu);
  return sum;
}

/* The sum of products of one pixel and channel of a group whose weights start at `weights`. */
static inline int32_t nibble_blocks_s8_sum(const nibble_blocks_s8_shape* shape, int32_t row_step,
                                           const int8_t* src, const uint32_t* weights,
                                           int32_t channel) {
  int32_t sum = 0;
  for (int32_t row = 0; row < shape->rows; ++row, src += row_step)
    for (int32_t first = 0; first < shape->taps; first += 3) {
      int32_t chunk = shape->taps - first < 3 ? shape->taps - first : 3;
      for (int32_t vector = 0; vector < shape->vectors; ++vector)
        for (int32_t tap = first; tap < first + chunk; ++tap) {
          int32_t lanes = vector + 1 == shape->vectors ? shape->tail : 16;
          sum += nibble_blocks_s8_vector(src + tap * shape->tap_pitch + 16 * vector,
                                         weights + 4 * channel, lanes);
          weights += 4 * shape->channels;
        }
    }
  return sum;
}

/* Bias, multiplier and exponent of a channel of the group at `group`, whose tables stand at
   `tables`. */
typedef struct {
  uint32_t bias;
  uint32_t multiplier;
  uint32_t exponent;
} nibble_blocks_s8_channel;

static inline nibble_blocks_s8_channel nibble_blocks_s8_tables(const nibble_blocks_s8_shape* shape,
                                                               const nibble_blocks_s8* blocks,
                                                               const uint32_t* group,
                                                               const uint32_t* tables,
                                                               int32_t channel) {
  nibble_blocks_s8_channel result;
  if (shape->channels == 2) {
    tables += 3 * channel;
    result.bias = tables[0];
    result.multiplier = tables[1];
    result.exponent = tables[2];
  } else if (shape->channels == 4) {
    result.bias = tables[channel];
    result.multiplier = tables[4 + channel];
    result.exponent = tables[8 + channel];
  } else {
    result.bias = group[channel];
    tables += 8 * (channel % 2) + channel / 2;
    result.multiplier = shape->uniform ? (uint32_t)blocks->multiplier : tables[0];
    result.exponent = shape->uniform ? (uint32_t)blocks->exponent : tables[4];
  }
  return result;
}

static inline void nibble_blocks_s8_gather(const nibble_blocks_s8_shape* shape,
                                           const nibble_blocks_s8* blocks) {
  for (int32_t row = 0; row < shape->gather_rows; ++row)
    for (int32_t pixel = 0; pixel < shape->pixels; ++pixel)
      for (int32_t at = 0; at < shape->gather_run; at += 16)
        memcpy(blocks->runs + pixel * shape->pixel_pitch + row * shape->gather_run + at,
               blocks->src + pixel * shape->gather_pitch + row * blocks->row_step + at, 16);
}

static inline void nibble_blocks_s8_plain(const nibble_blocks_s8_shape* shape,
                                          nibble_blocks_s8* blocks) {
  int32_t channels = shape->channels;
  int32_t weight_words = 4 * shape->rows * shape->taps * shape->vectors * channels;
  int32_t table_words = channels == 2 ? 6 : channels == 4 ? 12 : shape->uniform ? 0 : 16;
  int32_t stored = channels == 8 ? shape->stored : channels;
  for (; blocks->blocks > 0; --blocks->blocks) {
    int8_t* dst = blocks->dst;
    const uint32_t* group = blocks->stream;
    const int8_t* src = shape->gather_rows > 0 ? blocks->runs : blocks->src;
    nibble_blocks_s8_gather(shape, blocks);
    while (group != blocks->stream_end) {
      const uint32_t* weights = group + (channels == 8 ? 8 : 0);
      const uint32_t* tables = weights + weight_words;
      for (int32_t pixel = 0; pixel < shape->pixels; ++pixel)
        for (int32_t channel = 0; channel < stored; ++channel) {
          nibble_blocks_s8_channel table =
              nibble_blocks_s8_tables(shape, blocks, group, tables, channel);
          int32_t lane = channels == 2 ? 2 * pixel + channel : 2 * channel + pixel;
          int32_t sum = nibble_blocks_s8_sum(shape, blocks->row_step,
                                             src + pixel * shape->pixel_pitch, weights, channel);
          dst[channels == 8 ? channel : blocks->offsets[lane]] =
              nibble_output_s8((int32_t)(table.bias + (uint32_t)sum), (int32_t)table.multiplier,
                               (int32_t)table.exponent, shape->rounding, shape->out_zero,
                               shape->act_min, shape->act_max);
        }
      group = tables + table_words;
      dst += shape->stepped ? (int32_t)*group++ : channels;
    }
    blocks->src += blocks->src_step;
    blocks->dst += blocks->dst_step;
  }
}

#endif
