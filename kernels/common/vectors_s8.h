/* Blocks of pixels times groups of output channels, as the functions for cores with RISC-V vectors
   (of 128 bits) compute them from a packed stream of weights; and the same in plain C.

   A block has `pixels` output pixels, whose windows lie `pixel_pitch` bytes apart. A window has
   `rows` rows of `run` bytes, `row_step` bytes apart.

   The stream holds the groups of `lanes` output channels in turn; the last may have fewer. A group
   of `count` channels, from a multiple of four bytes on:
     count words: start values, the zero point of the input folded in, so padding must hold it
     count words: multipliers, count words: right shifts (that is, -exponent); neither if `uniform`
     for each byte of the window, in order: the weights of the group's channels, `count` bytes, or
     `lanes` bytes if `padded`.
   Depthwise, the lanes of a block are those of as many whole pixels as they hold, side by side in
   dst; a window's row has `run` pixels of `depth` bytes, and there are weights for each pixel of
   the window. Behind the last group the stream is long enough for loads of whole vector registers.
 */
#ifndef NIBBLE_COMMON_VECTORS_S8_H
#define NIBBLE_COMMON_VECTORS_S8_H

#include "common/nibble_common.h"
#include "common/output_s8.h"

/* What one call computes: `blocks` blocks along a row. The assembly knows this layout, and changes
   src, dst and blocks. */
typedef struct {
  const int8_t* src;
  int8_t* dst;
  const uint32_t* stream;
  int32_t row_step;
  int32_t src_step; /* from block to block */
  int32_t dst_step;
  int32_t blocks;
  int32_t multiplier; /* of all channels, if uniform */
  int32_t shift;
} nibble_vectors_s8;

typedef void (*nibble_vectors_s8_function)(nibble_vectors_s8* blocks);

/* What is fixed in a function. */
typedef struct {
  int32_t lanes;
  int32_t pixels;
  int32_t rows;
  int32_t run;
  int32_t pixel_pitch;
  int32_t out_c;
  int32_t padded;
  int32_t uniform;
  int32_t depth; /* of pixels, if depthwise; then pixels is 1, and out_c counts lanes */
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_vectors_s8_shape;

static inline int32_t nibble_vectors_s8_sum(const nibble_vectors_s8_shape* shape, int32_t row_step,
                                            const int8_t* src, const int8_t* weights,
                                            int32_t pitch) {
  int32_t sum = 0, step = shape->depth > 0 ? shape->depth : 1;
  for (int32_t row = 0; row < shape->rows; ++row, src += row_step)
    for (int32_t at = 0; at < shape->run; ++at, weights += pitch) sum += src[at * step] * *weights;
  return sum;
}

static inline void nibble_vectors_s8_plain(const nibble_vectors_s8_shape* shape,
                                           nibble_vectors_s8* blocks) {
  for (; blocks->blocks > 0; --blocks->blocks) {
    const uint32_t* group = blocks->stream;
    for (int32_t first = 0; first < shape->out_c; first += shape->lanes) {
      int32_t rest = shape->out_c - first;
      int32_t count = rest < shape->lanes ? rest : shape->lanes;
      int32_t pitch = shape->padded ? shape->lanes : count;
      const uint32_t* tables = group + count;
      const uint32_t* weights = shape->uniform ? tables : tables + 2 * count;
      for (int32_t pixel = 0; pixel < shape->pixels; ++pixel)
        for (int32_t channel = 0; channel < count; ++channel) {
          int32_t lane = first + channel;
          int32_t place = pixel * shape->pixel_pitch;
          if (shape->depth > 0)
            place = lane / shape->depth * shape->pixel_pitch + lane % shape->depth;
          int32_t sum = nibble_vectors_s8_sum(shape, blocks->row_step, blocks->src + place,
                                              (const int8_t*)(const void*)weights + channel, pitch);
          int32_t multiplier = shape->uniform ? blocks->multiplier : (int32_t)tables[channel];
          int32_t shift = shape->uniform ? blocks->shift : (int32_t)tables[count + channel];
          blocks->dst[pixel * shape->out_c + lane] =
              nibble_output_s8((int32_t)(group[channel] + (uint32_t)sum), multiplier, -shift,
                               shape->rounding, shape->out_zero, shape->act_min, shape->act_max);
        }
      group = weights + (shape->rows * shape->run * pitch + 3) / 4;
    }
    blocks->src += blocks->src_step;
    blocks->dst += blocks->dst_step;
  }
}

#endif
