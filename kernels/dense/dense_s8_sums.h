/* dense_s8 of one row on cores without SIMD, where each weight is used once: two
   multiply-accumulates per multiplication (words_s8.h), weights taken from flash bytes as they are.

   Four weights lie in a word as bytes of 128 more, in the order w2 w3 w0 w1. With its bytes b0 to
   b3, E = b0 + b2 * 2^16 and O = b1 + b3 * 2^16 the word is E + 256 * O, so one mask gives both: X0
   * E + X1 * O = X0 * word + (X1 - 256 * X0) * O, modulo 2^32. The words of the source are X0 =
   (x0, x2) and X1 - 256 * X0, X1 = (x1, x3). A sum of one group or two starts from q = 2^15 - (all
   its X0 + X1) * (128 + 128 * 2^16), which takes the 128 off every weight; what its upper half then
   holds must fit 16 bits, so the weights of a sum are 255 in magnitude together. Where they are
   more, a part of w0 or w1 is an extra.

   In scratch: for each sum q, then the two words of each group.
   The stream: a header (the fields below); with outputs to fill the last block, the rescaling of
   each output or of all, the low halves of the start values, their upper bytes, each to whole
   words; the extras as pairs of words, block | lane << 26 and byte offset of the group's words from
   x | part of w0 << 16 | part of w1 << 24, then one of all ones; the weights: for each block of
   outputs, each sum, each of them a word per group. */
#ifndef NIBBLE_DENSE_DENSE_S8_SUMS_H
#define NIBBLE_DENSE_DENSE_S8_SUMS_H

#include "common/nibble_common.h"
#include "common/rescale_s8.h"
#include "common/words_s8.h"

enum {
  NIBBLE_DENSE_SUMS_LENGTHS, /* in_len | out_len << 16 */
  NIBBLE_DENSE_SUMS_WEIGHTS, /* words before the weights */
  NIBBLE_DENSE_SUMS_FIELDS
};

/* Some blocks of outputs. The function leaves it ready for the next ones. */
typedef struct {
  const uint32_t* x;
  int32_t sums; /* > 0, of an output */
  const uint32_t* weights;
  const int16_t* start_low;
  const int8_t* start_high;
  const uint32_t* extras;
  int32_t block; /* the first block's number */
  int32_t blocks;
  const uint32_t* rescale; /* of each output, or of all */
  int8_t* dst;
} nibble_dense_sums;
typedef void (*nibble_dense_blocks)(nibble_dense_sums* dense);

typedef struct {
  nibble_dense_blocks blocks;
  int32_t lanes;         /* outputs of a block, 2 or 4 */
  int32_t groups;        /* of a sum, 1 or 2 */
  int32_t uniform;       /* one rescaling for all outputs */
  int32_t rescale_words; /* of a rescaling */
} nibble_dense_core;

static inline void nibble_dense_blocks_c(nibble_dense_sums* dense, int32_t lanes, int32_t groups,
                                         int32_t uniform, const nibble_rescale_s8* rescale) {
  for (; dense->blocks > 0; --dense->blocks, ++dense->block) {
    int32_t acc[4];
    for (int32_t lane = 0; lane < lanes; ++lane)
      acc[lane] = (uint16_t)*dense->start_low++ + *dense->start_high++ * 65536;
    for (; (dense->extras[0] & 0x3ffffffu) == (uint32_t)dense->block; dense->extras += 2) {
      const uint32_t* x = dense->x + (dense->extras[1] & 0xffffu) / 4;
      acc[dense->extras[0] >> 26] +=
          (int8_t)(dense->extras[1] >> 16 & 0xffu) * nibble_word_low(x[0]) +
          (int8_t)(dense->extras[1] >> 24) * nibble_word_low(x[1] + 256u * x[0]);
    }
    const uint32_t* x = dense->x;
    for (int32_t sum = 0; sum < dense->sums; ++sum, x += 1 + 2 * groups)
      for (int32_t lane = 0; lane < lanes; ++lane) {
        uint32_t product = x[0];
        for (int32_t group = 0; group < groups; ++group, ++dense->weights)
          product += x[1 + 2 * group] * *dense->weights +
                     x[2 + 2 * group] * (*dense->weights >> 8 & 0x00ff00ffu);
        acc[lane] += (int16_t)(product >> 16);
      }
    for (int32_t lane = 0; lane < lanes; ++lane) {
      *dense->dst++ = nibble_rescaled_s8(rescale, dense->rescale, acc[lane]);
      if (!uniform) dense->rescale += rescale->words;
    }
  }
}

/* The source as words; elements past its end count as 0. */
NIBBLE_LOOP void nibble_dense_widen(const int8_t* src, int32_t len, int32_t groups, uint32_t* x) {
  int8_t rest[4] = {0, 0, 0, 0};
  while (len > 0) {
    uint32_t* q = x++;
    uint32_t sum = 0;
    for (int32_t group = 0; group < groups; ++group, len -= 4, src += 4) {
      if (len < 4) {
        for (int32_t i = 0; i < 4; ++i) rest[i] = i < len ? src[i] : (int8_t)0;
        src = rest;
      }
      uint32_t x0 = nibble_word_of(src[0], src[2]), x1 = nibble_word_of(src[1], src[3]);
      *x++ = x0;
      *x++ = x1 - 256u * x0;
      sum += x0 + x1;
    }
    *q = 0x8000u - sum * 0x00800080u;
  }
}

NIBBLE_LOOP void nibble_dense_begin(nibble_dense_sums* dense, const uint32_t* stream,
                                    const nibble_dense_core* core) {
  int32_t in_len = (int32_t)(stream[NIBBLE_DENSE_SUMS_LENGTHS] & 0xffffu);
  int32_t out_len = (int32_t)(stream[NIBBLE_DENSE_SUMS_LENGTHS] >> 16);
  int32_t outputs = (out_len + core->lanes - 1) & -core->lanes;
  const uint32_t* table = stream + NIBBLE_DENSE_SUMS_FIELDS;
  dense->sums = (in_len + 4 * core->groups - 1) >> (core->groups + 1);
  dense->weights = stream + stream[NIBBLE_DENSE_SUMS_WEIGHTS];
  dense->rescale = table;
  table += core->uniform ? core->rescale_words : core->rescale_words * outputs;
  dense->start_low = (const int16_t*)(const void*)table;
  table += outputs >> 1;
  dense->start_high = (const int8_t*)(const void*)table;
  dense->extras = table + ((outputs + 3) >> 2);
  dense->block = 0;
  dense->blocks = out_len >> (core->lanes >> 1);
}

/* In parts, so that little lives in registers that would have to be saved on the stack. */
NIBBLE_LOOP void nibble_dense_s8_sums(const int8_t* src, int8_t* dst, uint32_t* scratch,
                                      const uint32_t* stream, const nibble_dense_core* core) {
  nibble_dense_sums dense;
  int8_t rest[4];
  dense.x = scratch;
  dense.dst = dst;
  nibble_dense_begin(&dense, stream, core);
  nibble_dense_widen(src, (int32_t)(stream[NIBBLE_DENSE_SUMS_LENGTHS] & 0xffffu), core->groups,
                     scratch);
  if (dense.blocks > 0) core->blocks(&dense);
  int32_t more = (int32_t)(stream[NIBBLE_DENSE_SUMS_LENGTHS] >> 16) & (core->lanes - 1);
  if (more == 0) return;
  dst = dense.dst;
  dense.blocks = 1;
  dense.dst = rest;
  core->blocks(&dense);
  while (--more >= 0) dst[more] = rest[more];
}

#endif
