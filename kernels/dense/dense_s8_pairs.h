/* dense_s8 from a packed stream, in plain C: what the generated function of a core with 16-bit
   multiply-accumulate pairs computes. It is also the contract of the stream.

   The stream is a header (the fields below, a word each), then groups of two channel pairs, the
   last one of the pairs that are left. A group: for each pair the start values of T (bias_a + 256 *
   bias_b) and B (bias_b), or, where all biases take 16 bits, one word bias_a | bias_b << 16; then
   for each two taps a word per pair (common/channel_pairs_s8.h), taps in the order 0 2, 1 3, 4 6, 5
   7, ..., a multiple of four such words, weights of taps past in_len being 0; then, unless one
   multiplier serves the whole layer, for each pair doubled_a, doubled_b and shift_a | shift_b << 8;
   or, linear, scale_a, scale_b, addend_a, addend_b. An odd last channel has an empty partner. */
#ifndef NIBBLE_DENSE_DENSE_S8_PAIRS_H
#define NIBBLE_DENSE_DENSE_S8_PAIRS_H

#include "common/channel_pairs_s8.h"
#include "common/nibble_common.h"

enum {
  NIBBLE_DENSE_IN_ZERO, /* -in_zero in both halves */
  NIBBLE_DENSE_IN_LEN,
  NIBBLE_DENSE_OUT_LEN,
  NIBBLE_DENSE_ENTRY,   /* where the loop over the taps is entered, in steps of four words; with
                           the highest bit set if biases take 32 bits */
  NIBBLE_DENSE_DOUBLED, /* one multiplier (linear: scale) for all channels, */
  NIBBLE_DENSE_SHIFT,   /* its shift (linear: addend), */
  NIBBLE_DENSE_ADDEND,  /* 2 * out_zero + 1; 0 if rescaling is linear */
  NIBBLE_DENSE_FIELDS
};

/* What the function's text says, not the stream. */
typedef struct {
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  int32_t linear_shift;
  int32_t uniform; /* one multiplier for all channels, in the header */
} nibble_dense_s8_pairs_args;

/* The tap of a lane of the word that holds the taps of index `pair`. */
static inline int32_t nibble_pair_tap(int32_t pair, int32_t lane) {
  return pair / 2 * 4 + pair % 2 + 2 * lane;
}

/* Words of two taps each, zeros included. */
static inline int32_t nibble_dense_words(int32_t in_len) { return (in_len + 7) / 8 * 4; }

/* Adds the products of a pair to *a and *b. `weights`: its first word; the next is `step` on. */
static inline void nibble_dense_s8_pairs_dot(const int16_t* taps, int32_t in_len,
                                             const uint32_t* weights, int32_t step, int32_t* a,
                                             int32_t* b) {
  for (int32_t word = 0; word < nibble_dense_words(in_len); ++word, weights += step)
    for (int32_t lane = 0; lane < 2; ++lane) {
      int32_t tap = nibble_pair_tap(word, lane);
      if (tap >= in_len) continue;
      *a += taps[tap] * nibble_lane_a(*weights, lane);
      *b += taps[tap] * nibble_lane_b(*weights, lane);
    }
}

/* taps: of in_len elements, for the source minus its zero point; dst may overwrite the source. */
static inline void nibble_dense_s8_pairs(const nibble_dense_s8_pairs_args* args, const int8_t* src,
                                         int8_t* dst, int16_t* taps, const uint32_t* stream) {
  int32_t in_len = (int32_t)stream[NIBBLE_DENSE_IN_LEN];
  int32_t out_len = (int32_t)stream[NIBBLE_DENSE_OUT_LEN];
  int32_t out_zero = ((int32_t)stream[NIBBLE_DENSE_ADDEND] - 1) / 2;
  int32_t in_zero = -(int16_t)(stream[NIBBLE_DENSE_IN_ZERO] & 0xffffu);
  int32_t linear = stream[NIBBLE_DENSE_ADDEND] == 0, per_pair = linear ? 4 : 3;
  int32_t rounding = linear ? NIBBLE_PAIRS_LINEAR + args->linear_shift : args->rounding;
  int32_t short_starts = stream[NIBBLE_DENSE_ENTRY] >> 31 == 0;
  const uint32_t* pairs_end = stream + NIBBLE_DENSE_FIELDS;
  for (int32_t tap = 0; tap < in_len; ++tap) taps[tap] = (int16_t)(src[tap] - in_zero);
  for (int32_t first = 0; first < out_len; first += 4) {
    int32_t pairs = out_len - first > 2 ? 2 : 1;
    const uint32_t* starts = pairs_end;
    const uint32_t* weights = starts + (short_starts ? pairs : 2 * pairs);
    const uint32_t* rescale = weights + pairs * nibble_dense_words(in_len);
    pairs_end = rescale + (args->uniform ? 0 : per_pair * pairs);
    for (int32_t pair = 0; pair < pairs; ++pair) {
      int32_t channel = first + 2 * pair;
      int32_t a, b;
      if (short_starts) {
        a = (int16_t)(starts[pair] & 0xffffu);
        b = (int16_t)(starts[pair] >> 16);
      } else {
        a = (int32_t)(starts[2 * pair] - 256u * starts[2 * pair + 1]);
        b = (int32_t)starts[2 * pair + 1];
      }
      nibble_dense_s8_pairs_dot(taps, in_len, weights + pair, pairs, &a, &b);
      const uint32_t* own = rescale + per_pair * pair;
      uint32_t doubled = stream[NIBBLE_DENSE_DOUBLED], shift = stream[NIBBLE_DENSE_SHIFT];
      uint32_t doubled_a = args->uniform ? doubled : own[0];
      uint32_t doubled_b = args->uniform ? doubled : own[1];
      uint32_t shift_a = args->uniform ? shift : linear ? own[2] : own[2] & 0xffu;
      uint32_t shift_b = args->uniform ? shift : linear ? own[3] : own[2] >> 8;
      dst[channel] = nibble_pairs_output_s8(a, doubled_a, shift_a, rounding, out_zero,
                                            args->act_min, args->act_max);
      if (channel + 1 < out_len)
        dst[channel + 1] = nibble_pairs_output_s8(b, doubled_b, shift_b, rounding, out_zero,
                                                  args->act_min, args->act_max);
    }
  }
}

#endif
