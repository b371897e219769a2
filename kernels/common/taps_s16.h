/* The taps of a window, all channels of a pixel: maxima, averages, rescaled sums of s16. Channels
   are taken a group at a time (four; eight with Helium, and for maxima with the DSP extension); the
   last group starts so early that it is whole, so there are at least as many channels as that. */
#ifndef NIBBLE_COMMON_TAPS_S16_H
#define NIBBLE_COMMON_TAPS_S16_H

#include "common/nibble_common.h"
#include "common/rescale_s16.h"

/* One pixel. The assembly knows this layout. Steps are bytes: from a tap to the next, from behind a
   row's last tap to the next row. */
typedef struct {
  const int16_t* src;
  int16_t* dst;
  int32_t rows;
  int32_t columns;
  int32_t column_step;
  int32_t row_step;
  int32_t channels;
  int32_t act_min;
  int32_t act_max;
  int32_t half;        /* averages: count / 2 */
  uint32_t reciprocal; /* averages: 2^(31 + shift) / count, rounded up; sums: the multiplier */
  int32_t shift;       /* averages: least with 2^shift >= count; sums: -exponent */
  int32_t rounding;    /* sums */
  int32_t count;       /* averages */
} nibble_taps_s16;

/* (|sum| + half) / count with the sign of sum. With n = |sum| + half < 2^31: n * reciprocal * 2 /
   2^(32 + shift) rounded down is n / count rounded down, because n * (reciprocal * count - 2^(31 +
   shift)) < 2^31 * count <= 2^(31 + shift). */
static inline int32_t nibble_average_s16(const nibble_taps_s16* taps, int32_t sum) {
#if defined(__thumb__) && !defined(__thumb2__)
  uint32_t twice = 2 * ((uint32_t)(sum < 0 ? -sum : sum) + (uint32_t)taps->half);
  uint32_t low = taps->reciprocal & 0xffffu, high = taps->reciprocal >> 16;
  uint32_t middle = (twice >> 16) * low + (((twice & 0xffffu) * low) >> 16);
  uint32_t rest = (twice & 0xffffu) * high + (middle & 0xffffu);
  int32_t average =
      (int32_t)(((twice >> 16) * high + (middle >> 16) + (rest >> 16)) >> taps->shift);
  return sum < 0 ? -average : average;
#else
  /* Cores that divide. */
  return (sum < 0 ? sum - taps->half : sum + taps->half) / taps->count;
#endif
}

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
/* r0 taps, r1 the group's first tap, r2 its dst, r3 channels left; r5 the tap. */
#define NIBBLE_TAPS_BEGIN    \
  ".syntax unified\n"        \
  "push {r4-r9, lr}\n"       \
  "ldrd r1, r2, [r0]\n"      \
  "ldr r3, [r0, #24]\n"      \
  "ldrd r8, r9, [r0, #16]\n" \
  "1:\n"                     \
  "mov r5, r1\n"             \
  "ldrd r6, r7, [r0, #8]\n"
/* Around the instructions of a tap. */
#define NIBBLE_TAPS_ROWS "2:\ndls lr, r7\n3:\n"
#define NIBBLE_TAPS_ROWS_END \
  "add r5, r5, r8\n"         \
  "le lr, 3b\n"              \
  "add r5, r5, r9\n"         \
  "subs r6, r6, #1\n"        \
  "bne 2b\n"
#define NIBBLE_TAPS_SUMS               \
  "vmov.i32 q0, #0\n"                  \
  "vmov.i32 q1, #0\n" NIBBLE_TAPS_ROWS \
  "vldrh.s32 q2, [r5]\n"               \
  "vldrh.s32 q3, [r5, #8]\n"           \
  "vadd.i32 q0, q0, q2\n"              \
  "vadd.i32 q1, q1, q3\n" NIBBLE_TAPS_ROWS_END
/* Results of 32 bits in q0, q1, to 16 bits in q0 and dst. */
#define NIBBLE_TAPS_NARROW   \
  "vqmovnb.s32 q0, q0\n"     \
  "vqmovnb.s32 q1, q1\n"     \
  "ldrd r4, r5, [r0, #28]\n" \
  "vdup.32 q2, r4\n"         \
  "vdup.32 q3, r5\n"         \
  "vmovlb.s16 q0, q0\n"      \
  "vmovlb.s16 q1, q1\n"      \
  "vmax.s32 q0, q0, q2\n"    \
  "vmax.s32 q1, q1, q2\n"    \
  "vmin.s32 q0, q0, q3\n"    \
  "vmin.s32 q1, q1, q3\n"    \
  "vstrh.32 q0, [r2]\n"      \
  "vstrh.32 q1, [r2, #8]\n"
/* On to the next group, which starts up to seven channels earlier. */
#define NIBBLE_TAPS_END \
  "subs r3, r3, #8\n"   \
  "beq 4f\n"            \
  "mov r4, #16\n"       \
  "cmp r3, #8\n"        \
  "it lt\n"             \
  "lsllt r4, r3, #1\n"  \
  "add r1, r1, r4\n"    \
  "add r2, r2, r4\n"    \
  "it lt\n"             \
  "movlt r3, #8\n"      \
  "b 1b\n"              \
  "4:\n"                \
  "pop {r4-r9, pc}\n"

NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_max_of_taps_s16_groups(const nibble_taps_s16* taps NIBBLE_UNUSED) {
  __asm__ volatile(NIBBLE_TAPS_BEGIN
                   "mov r4, #0x8000\n"
                   "vdup.16 q0, r4\n" NIBBLE_TAPS_ROWS
                   "vldrh.u16 q1, [r5]\n"
                   "vmax.s16 q0, q0, q1\n" NIBBLE_TAPS_ROWS_END
                   "ldrd r4, r5, [r0, #28]\n"
                   "vdup.16 q2, r4\n"
                   "vdup.16 q3, r5\n"
                   "vmax.s16 q0, q0, q2\n"
                   "vmin.s16 q0, q0, q3\n"
                   "vstrh.16 q0, [r2]\n" NIBBLE_TAPS_END);
}

static NIBBLE_NAKED void nibble_average_of_taps_s16_groups(
    const nibble_taps_s16* taps NIBBLE_UNUSED) {
  __asm__ volatile(NIBBLE_TAPS_BEGIN NIBBLE_TAPS_SUMS
                   "ldrd r4, r5, [r0, #36]\n"
                   "ldr r7, [r0, #44]\n"
                   "rsb r7, r7, #0\n"
                   "lsl r4, r4, #1\n"
                   "vdup.32 q3, r5\n"
                   "vabs.s32 q2, q0\n"
                   "vshl.i32 q2, q2, #1\n"
                   "vadd.i32 q2, q2, r4\n"
                   "vmulh.u32 q2, q2, q3\n"
                   "vshl.u32 q2, r7\n"
                   "vshr.s32 q0, q0, #31\n"
                   "veor q2, q2, q0\n"
                   "vsub.i32 q0, q2, q0\n"
                   "vabs.s32 q2, q1\n"
                   "vshl.i32 q2, q2, #1\n"
                   "vadd.i32 q2, q2, r4\n"
                   "vmulh.u32 q2, q2, q3\n"
                   "vshl.u32 q2, r7\n"
                   "vshr.s32 q1, q1, #31\n"
                   "veor q2, q2, q1\n"
                   "vsub.i32 q1, q2, q1\n" NIBBLE_TAPS_NARROW NIBBLE_TAPS_END);
}

/* The tflite rounding, shift from 1 on. */
static NIBBLE_NAKED void nibble_mean_of_taps_s16_groups(const nibble_taps_s16* taps NIBBLE_UNUSED) {
  __asm__ volatile(NIBBLE_TAPS_BEGIN NIBBLE_TAPS_SUMS
                   "ldrd r5, r7, [r0, #40]\n"
                   "rsb r7, r7, #0\n"
                   "vqrdmulh.s32 q0, q0, r5\n"
                   "vqrdmulh.s32 q1, q1, r5\n"
                   "vshr.s32 q2, q0, #31\n"
                   "vshr.s32 q3, q1, #31\n"
                   "vadd.i32 q0, q0, q2\n"
                   "vadd.i32 q1, q1, q3\n"
                   "vrshl.s32 q0, r7\n"
                   "vrshl.s32 q1, r7\n" NIBBLE_TAPS_NARROW NIBBLE_TAPS_END);
}
NIBBLE_ASSEMBLY_END
#else
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
static inline uint32_t nibble_load_pair_s16(const int16_t* src) {
  uint32_t pair;
  memcpy(&pair, src, sizeof pair);
  return pair;
}
#endif

/* Four channels from `channel` on. */
static inline void nibble_sums_of_taps_s16_x4(const nibble_taps_s16* taps, int32_t channel,
                                              int32_t* sums) {
  const int16_t* src = taps->src + channel;
  int32_t column_step = taps->column_step / 2, row_step = taps->row_step / 2;
  int32_t sum_0 = 0, sum_1 = 0, sum_2 = 0, sum_3 = 0;
  for (int32_t row = taps->rows; row > 0; --row, src += row_step)
    for (int32_t left = taps->columns; left > 0; --left, src += column_step) {
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
      uint32_t first = nibble_load_pair_s16(src), second = nibble_load_pair_s16(src + 2);
      __asm__("sxtah %0, %0, %1" : "+r"(sum_0) : "r"(first));
      __asm__("sxtah %0, %0, %1" : "+r"(sum_2) : "r"(second));
      sum_1 += (int32_t)first >> 16;
      sum_3 += (int32_t)second >> 16;
#else
      sum_0 += src[0];
      sum_1 += src[1];
      sum_2 += src[2];
      sum_3 += src[3];
#endif
    }
  sums[0] = sum_0;
  sums[1] = sum_1;
  sums[2] = sum_2;
  sums[3] = sum_3;
}

#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
static inline uint32_t nibble_max_pairs_s16(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub16 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
  return result;
}

static inline uint32_t nibble_min_pairs_s16(uint32_t a, uint32_t b) {
  uint32_t result;
  __asm__("ssub16 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b) : "cc");
  return result;
}

/* Eight channels at once, two in a word. */
NIBBLE_LOOP void nibble_max_of_taps_s16_groups(const nibble_taps_s16* taps) {
  int32_t channels = taps->channels, column_step = taps->column_step / 2;
  uint32_t low = ((uint32_t)taps->act_min & 0xffffu) * 0x10001u;
  uint32_t high = ((uint32_t)taps->act_max & 0xffffu) * 0x10001u;
  for (int32_t c = 0; c < channels; c += 8) {
    int32_t at = c + 8 <= channels ? c : channels - 8;
    const int16_t* src = taps->src + at;
    uint32_t max_0 = low, max_1 = low, max_2 = low, max_3 = low;
    for (int32_t row = taps->rows; row > 0; --row, src += taps->row_step / 2)
      for (int32_t left = taps->columns; left > 0; --left, src += column_step) {
        max_0 = nibble_max_pairs_s16(max_0, nibble_load_pair_s16(src));
        max_1 = nibble_max_pairs_s16(max_1, nibble_load_pair_s16(src + 2));
        max_2 = nibble_max_pairs_s16(max_2, nibble_load_pair_s16(src + 4));
        max_3 = nibble_max_pairs_s16(max_3, nibble_load_pair_s16(src + 6));
      }
    max_0 = nibble_min_pairs_s16(max_0, high);
    max_1 = nibble_min_pairs_s16(max_1, high);
    max_2 = nibble_min_pairs_s16(max_2, high);
    max_3 = nibble_min_pairs_s16(max_3, high);
    memcpy(taps->dst + at, &max_0, 4);
    memcpy(taps->dst + at + 2, &max_1, 4);
    memcpy(taps->dst + at + 4, &max_2, 4);
    memcpy(taps->dst + at + 6, &max_3, 4);
  }
}
#else
NIBBLE_LOOP void nibble_max_of_taps_s16_groups(const nibble_taps_s16* taps) {
  int32_t channels = taps->channels, column_step = taps->column_step / 2;
  for (int32_t c = 0; c < channels; ++c) {
    const int16_t* src = taps->src + c;
    int32_t max = taps->act_min;
    for (int32_t row = taps->rows; row > 0; --row, src += taps->row_step / 2)
      for (int32_t left = taps->columns; left > 0; --left, src += column_step)
        if (*src > max) max = *src;
    taps->dst[c] = (int16_t)(max > taps->act_max ? taps->act_max : max);
  }
}
#endif

NIBBLE_LOOP void nibble_average_of_taps_s16_groups(const nibble_taps_s16* taps) {
  int32_t four[4], channels = taps->channels, low = taps->act_min, high = taps->act_max;
  for (int32_t c = 0; c < channels; c += 4) {
    int32_t at = c + 4 <= channels ? c : channels - 4;
    int16_t* to = taps->dst + at;
    nibble_sums_of_taps_s16_x4(taps, at, four);
    for (const int32_t* value = four; value != four + 4; ++value)
      *to++ = (int16_t)nibble_clamp(nibble_average_s16(taps, *value), low, high);
  }
}

static inline int32_t nibble_rescaled_taps_s16(const nibble_taps_s16* taps, int32_t sum) {
  return nibble_rescale_s16(sum, (int32_t)taps->reciprocal, taps->shift, taps->rounding);
}

NIBBLE_LOOP void nibble_mean_of_taps_s16_groups(const nibble_taps_s16* taps) {
  int32_t four[4], channels = taps->channels, low = taps->act_min, high = taps->act_max;
  for (int32_t c = 0; c < channels; c += 4) {
    int32_t at = c + 4 <= channels ? c : channels - 4;
    int16_t* to = taps->dst + at;
    nibble_sums_of_taps_s16_x4(taps, at, four);
    for (const int32_t* value = four; value != four + 4; ++value)
      *to++ = (int16_t)nibble_clamp(nibble_rescaled_taps_s16(taps, *value), low, high);
  }
}
#endif

#endif
