/* dense_s8 from a packed stream, in plain C: what the generated function of a core with 16-bit
   multiply-accumulate pairs computes.

   The stream is a header (the fields below, a word each), then groups of up to four channel pairs.
   A group: for each pair the start values of T (bias_a + 256 * bias_b) and B (bias_b); then for
   each two taps a word per pair, taps in the order 0 2, 1 3, 4 6, 5 7, ..., weights of taps past
   in_len being 0; then, unless one multiplier serves the whole layer, for each pair doubled_a,
   doubled_b and shift_a | shift_b << 8. An odd last channel has an empty partner. */
#ifndef NIBBLE_DENSE_DENSE_S8_PAIRS_H
#define NIBBLE_DENSE_DENSE_S8_PAIRS_H

#include "common/channel_pairs_s8.h"
#include "common/nibble_common.h"

enum {
  NIBBLE_DENSE_IN_ZERO, /* -in_zero in both halves */
  NIBBLE_DENSE_IN_LEN,
  NIBBLE_DENSE_OUT_LEN,
  NIBBLE_DENSE_ADDEND,  /* 2 * out_zero + 1 */
  NIBBLE_DENSE_DOUBLED, /* one multiplier for all channels, and the next one its shift */
  NIBBLE_DENSE_SHIFT,
  NIBBLE_DENSE_FIELDS
};

/* What the function's text says, not the stream. */
typedef struct {
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
  int32_t uniform; /* one multiplier for all channels, in the header */
} nibble_dense_s8_pairs_args;

/* The tap of a lane of the word that holds the taps of index `pair`. */
static inline int32_t nibble_pair_tap(int32_t pair, int32_t lane) {
  return pair / 2 * 4 + pair % 2 + 2 * lane;
}

static inline void nibble_dense_s8_pairs(const nibble_dense_s8_pairs_args* args, const int8_t* src,
                                         int8_t* dst, const uint32_t* stream) {
  int32_t in_len = (int32_t)stream[NIBBLE_DENSE_IN_LEN];
  int32_t out_len = (int32_t)stream[NIBBLE_DENSE_OUT_LEN];
  int32_t in_zero = -(int16_t)(stream[NIBBLE_DENSE_IN_ZERO] & 0xffffu);
  int32_t out_zero = ((int32_t)stream[NIBBLE_DENSE_ADDEND] - 1) / 2;
  uint32_t doubled = stream[NIBBLE_DENSE_DOUBLED], shift = stream[NIBBLE_DENSE_SHIFT];
  int32_t words = (in_len + 3) / 4 * 2;
  stream += NIBBLE_DENSE_FIELDS;
  for (int32_t first = 0; first < out_len; first += 8) {
    int32_t pairs = (out_len - first + 1) / 2;
    if (pairs > 4) pairs = 4;
    const uint32_t* weights = stream + 2 * pairs;
    const uint32_t* rescale = weights + pairs * words;
    for (int32_t pair = 0; pair < pairs; ++pair) {
      int32_t b = (int32_t)stream[2 * pair + 1];
      int32_t a = (int32_t)(stream[2 * pair] - 256u * stream[2 * pair + 1]);
      for (int32_t word = 0; word < words; ++word)
        for (int32_t lane = 0; lane < 2; ++lane) {
          int32_t tap = nibble_pair_tap(word, lane);
          if (tap >= in_len) continue;
          int32_t x = src[tap] - in_zero;
          a += x * nibble_lane_a(weights[word * pairs + pair], lane);
          b += x * nibble_lane_b(weights[word * pairs + pair], lane);
        }
      uint32_t doubled_a = args->uniform ? doubled : rescale[3 * pair];
      uint32_t doubled_b = args->uniform ? doubled : rescale[3 * pair + 1];
      uint32_t shifts = args->uniform ? shift * 257u : rescale[3 * pair + 2];
      dst[first + 2 * pair] = nibble_pairs_output_s8(a, doubled_a, shifts & 0xffu, args->rounding,
                                                     out_zero, args->act_min, args->act_max);
      if (first + 2 * pair + 1 < out_len)
        dst[first + 2 * pair + 1] = nibble_pairs_output_s8(
            b, doubled_b, shifts >> 8, args->rounding, out_zero, args->act_min, args->act_max);
    }
    stream = rescale + (args->uniform ? 0 : 3 * pairs);
  }
}

#endif
