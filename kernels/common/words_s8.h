/* Inner products two multiply-accumulates at a time on cores without SIMD, and what the kernels
   that use them share: the form of the operands, a block of outputs, and both in plain C.

   Two elements lie in a word: X = x0 + x1 * 2^16, and the two weights crosswise, W = w1 + w0 *
   2^16. Modulo 2^32 their product is X * W = x0 w1 + (x0 w0 + x1 w1) * 2^16. Four elements make a
   group of two words, X0 = (e0, e2) and X1 = (e1, e3), because two masks take them from four bytes.
   The sum of a group's two products holds, but for the borrow of its lower half, four products in
   its upper half, if they fit 16 bits: 128 * (|w0| + |w1| + |w2| + |w3|) < 2^15. Where the weights
   are larger, the packer takes a part of w0 or w1 away and makes it an extra: element, lane and
   weight by themselves. Weights lie in flash as bytes in the order w2 w3 w0 w1, so that the same
   widening makes their words.

   The zero point of the source is part of the start values; elements outside an image hold it. */
#ifndef NIBBLE_COMMON_WORDS_S8_H
#define NIBBLE_COMMON_WORDS_S8_H

#include "common/nibble_common.h"
#include "common/rescale_s8.h"

/* Outputs of some channels (as many as the function takes at once) for a row of pixels. x_step,
   run_skip and dst_step are in bytes. The function may change x, dst and pixels. */
typedef struct {
  const uint32_t*
      x; /* of the first pixel: `runs` runs of run_groups groups, run_skip between them */
  int32_t x_step;
  int8_t* dst;
  int32_t dst_step;
  int32_t pixels;          /* > 0 */
  const uint32_t* weights; /* widened: for each run, each group, each channel its two words */
  int32_t runs;
  int32_t run_groups; /* > 0 */
  int32_t run_skip;
  const uint32_t* start;   /* of the accumulators */
  const uint32_t* extras;  /* number of words that follow; in them, as halves, for each lane the
                              number of its extras, and of each the element's byte offset from x
                              and the weight */
  const uint32_t* rescale; /* of each channel its words (rescale_s8.h) */
} nibble_words_s8;
typedef void (*nibble_words_s8_block)(nibble_words_s8* block);

/* `groups` (> 0) groups from the bytes at src, which is aligned to 4. */
typedef void (*nibble_words_s8_widen)(const void* src, uint32_t* dst, int32_t groups);

static inline int32_t nibble_word_low(uint32_t word) { return (int32_t)(int16_t)(word & 0xffffu); }
static inline int32_t nibble_word_high(uint32_t word) {
  return (int32_t)(int16_t)((word - (uint32_t)nibble_word_low(word)) >> 16);
}
static inline uint32_t nibble_word_of(int32_t low, int32_t high) {
  return (uint32_t)low + ((uint32_t)high << 16);
}

static inline void nibble_words_s8_widen_c(const void* src, uint32_t* dst, int32_t groups) {
  const int8_t* e = (const int8_t*)src;
  for (; groups > 0; --groups, e += 4) {
    *dst++ = nibble_word_of(e[0], e[2]);
    *dst++ = nibble_word_of(e[1], e[3]);
  }
}

/* What the extras of a lane bring to the block's first pixel. */
static inline int32_t nibble_words_s8_extras(const nibble_words_s8* block, int32_t lane) {
  int32_t acc = 0;
  if (block->extras[0] == 0) return 0;
  const int16_t* list = (const int16_t*)(const void*)(block->extras + 1);
  for (; lane > 0; --lane) list += 1 + 2 * *list;
  for (int32_t count = *list++; count > 0; --count, list += 2)
    acc += list[1] * nibble_word_low(block->x[(uint16_t)list[0] / 4]);
  return acc;
}

/* The accumulator of channel `lane` of `lanes` for the block's first pixel. */
static inline int32_t nibble_words_s8_dot(const nibble_words_s8* block, int32_t lane,
                                          int32_t lanes) {
  int32_t acc = (int32_t)block->start[lane];
  const uint32_t* x = block->x;
  const uint32_t* weights = block->weights + 2 * lane;
  for (int32_t run = 0; run < block->runs; ++run) {
    for (int32_t i = 0; i < 2 * block->run_groups; ++i) {
      uint32_t w = weights[i / 2 * 2 * lanes + i % 2];
      acc += nibble_word_low(*x) * nibble_word_high(w) + nibble_word_high(*x) * nibble_word_low(w);
      ++x;
    }
    weights += 2 * block->run_groups * lanes;
    x = (const uint32_t*)(const void*)((const int8_t*)x + block->run_skip);
  }
  return acc + nibble_words_s8_extras(block, lane);
}

static inline void nibble_words_s8_next(nibble_words_s8* block) {
  block->x = (const uint32_t*)(const void*)((const int8_t*)block->x + block->x_step);
  block->dst += block->dst_step;
  --block->pixels;
}

/* A block of `lanes` channels. */
static inline void nibble_words_s8_block_c(nibble_words_s8* block, int32_t lanes,
                                           const nibble_rescale_s8* rescale) {
  for (; block->pixels > 0; nibble_words_s8_next(block))
    for (int32_t lane = 0; lane < lanes; ++lane)
      block->dst[lane] = nibble_rescaled_s8(rescale, block->rescale + lane * rescale->words,
                                            nibble_words_s8_dot(block, lane, lanes));
}

#endif
