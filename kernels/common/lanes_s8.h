/* Four neighbouring channels at once in the lanes of a 32-bit word: sums and maxima over the taps
   of a window. With the DSP extension lanes are signed; elsewhere plain C adds and compares
   elements plus 128.

   Words are read where they lie; cores that cannot read them unaligned get multiples of four. */
#ifndef NIBBLE_COMMON_LANES_S8_H
#define NIBBLE_COMMON_LANES_S8_H

#include "common/nibble_common.h"
#include "common/requant.h"

/* The taps of a window: from a tap to the next, from behind a row's last tap to the next row. */
typedef struct {
  int32_t rows;
  int32_t columns;
  int32_t column_step;
  int32_t row_step;
} nibble_taps_s8;

static inline uint32_t nibble_load_lanes_s8(const int8_t* src) {
  uint32_t word;
#if (defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)) || defined(__riscv)
  memcpy(&word, __builtin_assume_aligned(src, 4), 4);
#else
  memcpy(&word, src, 4);
#endif
  return word;
}

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define NIBBLE_LANES_BIAS 0

static inline uint32_t nibble_add_even_lanes_s8(uint32_t sums, uint32_t word) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(sums), "r"(word));
  return result;
}

static inline uint32_t nibble_add_odd_lanes_s8(uint32_t sums, uint32_t word) {
  uint32_t result;
  __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(sums), "r"(word));
  return result;
}

static inline uint32_t nibble_max_lanes_s8(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
  return result;
}
#else
#define NIBBLE_LANES_BIAS 128

static inline uint32_t nibble_add_even_lanes_s8(uint32_t sums, uint32_t word) {
  return sums + ((word ^ 0x80808080u) & 0x00ff00ffu);
}

static inline uint32_t nibble_add_odd_lanes_s8(uint32_t sums, uint32_t word) {
  return sums + (((word ^ 0x80808080u) >> 8) & 0x00ff00ffu);
}

/* Of unsigned bytes that differ in their sign the one with bit 7 is larger; else the lower bits
   say, by a difference that borrows nothing. A signed byte's sign counts the other way. */
static inline uint32_t nibble_max_lanes_s8(uint32_t a, uint32_t b) {
  const uint32_t high = 0x80808080u;
  uint32_t low_bits = (a | high) - (b & ~high);
  uint32_t larger = ((b & ~a) | (~(a ^ b) & low_bits)) & high;
  uint32_t mask = (larger - (larger >> 7)) | larger;
  return b ^ ((a ^ b) & mask);
}
#endif

/* Adds what stands in the lanes after `count` taps. */
static inline void nibble_flush_lanes_s8(int32_t* sums, uint32_t even, uint32_t odd,
                                         int32_t count) {
#if NIBBLE_LANES_BIAS
  int32_t bias = NIBBLE_LANES_BIAS * count;
  sums[0] += (int32_t)(even & 0xffffu) - bias;
  sums[1] += (int32_t)(odd & 0xffffu) - bias;
  sums[2] += (int32_t)(even >> 16) - bias;
  sums[3] += (int32_t)(odd >> 16) - bias;
#else
  (void)count;
  sums[0] += (int16_t)(uint16_t)even;
  sums[1] += (int16_t)(uint16_t)odd;
  sums[2] += (int32_t)even >> 16;
  sums[3] += (int32_t)odd >> 16;
#endif
}

/* A window that is one row, or rows that lie at equal distances, as one row. */
static inline nibble_taps_s8 nibble_joined_taps_s8(nibble_taps_s8 taps) {
  if (taps.columns == 1) taps.column_step += taps.row_step;
  if (taps.columns == 1 || taps.row_step == 0) {
    taps.columns *= taps.rows;
    taps.rows = 1;
  }
  return taps;
}

/* sums[0..3]: over all taps of four channels; `taps` are joined. */
NIBBLE_LOOP void nibble_sums_of_lanes_s8(const int8_t* src, const nibble_taps_s8* taps,
                                         int32_t* sums) {
  enum { kMost = 255 }; /* taps until a lane of 16 bits is full */
  int32_t step = taps->column_step, count = 0;
  uint32_t even = 0, odd = 0;
  sums[0] = sums[1] = sums[2] = sums[3] = 0;
  for (int32_t row = taps->rows; row > 0; --row) {
    int32_t left = taps->columns;
    while (left > 0) {
      int32_t turn = left < kMost ? left : (int32_t)kMost;
      if (count + turn > kMost) {
        nibble_flush_lanes_s8(sums, even, odd, count);
        even = odd = 0;
        count = 0;
      }
      count += turn;
      left -= turn;
      do {
        uint32_t word = nibble_load_lanes_s8(src);
        src += step;
        even = nibble_add_even_lanes_s8(even, word);
        odd = nibble_add_odd_lanes_s8(odd, word);
      } while (--turn > 0);
    }
    src += taps->row_step;
  }
  nibble_flush_lanes_s8(sums, even, odd, count);
}

NIBBLE_LOOP uint32_t nibble_max_of_lanes_s8(const int8_t* src, const nibble_taps_s8* taps) {
  uint32_t max = 0x80808080u;
  for (int32_t row = taps->rows; row > 0; --row) {
    for (int32_t left = taps->columns; left > 0; --left) {
      max = nibble_max_lanes_s8(max, nibble_load_lanes_s8(src));
      src += taps->column_step;
    }
    src += taps->row_step;
  }
  return max;
}

#endif
