/* mean_s8 with vectors: elements of inner across the lanes, or, where there is one, the elements
   that are added up. Sums have 16 bits over runs of up to 256 elements, which are added up in 32.
 */
#ifndef NIBBLE_MEAN_MEAN_S8_VECTORS_H
#define NIBBLE_MEAN_MEAN_S8_VECTORS_H

#include "common/lanes_s8.h"
#include "common/output_s8.h"
#include "mean/mean_s8.h"

enum { NIBBLE_MEAN_RUN = 256, NIBBLE_MEAN_BLOCK = 64 };

/* nibble_mean_add_run_s8: sums[place(c)] += src[c] + src[c + step] + ... of `count` elements, for
   each c < channels. Sums are there for a multiple of eight channels.
   nibble_mean_sum_s8: src[0] + src[1] + ... of `count` elements. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
/* Of eight channels first the even ones, then the odd. */
static inline int32_t nibble_mean_place(int32_t c) {
  return (c & ~7) + ((c & 1) << 2) + ((c & 7) >> 1);
}

NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_mean_add_run_s8(const int8_t* src NIBBLE_UNUSED,
                                                int32_t step NIBBLE_UNUSED,
                                                int32_t count NIBBLE_UNUSED,
                                                int32_t* sums NIBBLE_UNUSED,
                                                int32_t channels NIBBLE_UNUSED) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r6, lr}\n"
      "ldr r4, [sp, #16]\n"
      "1:\n"
      "vctp.16 r4\n"
      "vmov.i32 q0, #0\n"
      "mov r5, r0\n"
      "dls lr, r2\n"
      "2:\n"
      "vpst\n"
      "vldrbt.s16 q1, [r5]\n"
      "vadd.i16 q0, q0, q1\n"
      "add r5, r5, r1\n"
      "le lr, 2b\n"
      "vldrw.u32 q1, [r3]\n"
      "vldrw.u32 q2, [r3, #16]\n"
      "vmovlb.s16 q3, q0\n"
      "vmovlt.s16 q0, q0\n"
      "vadd.i32 q1, q1, q3\n"
      "vadd.i32 q2, q2, q0\n"
      "vstrw.32 q1, [r3], #16\n"
      "vstrw.32 q2, [r3], #16\n"
      "add r0, r0, #8\n"
      "subs r4, r4, #8\n"
      "bgt 1b\n"
      "pop {r4-r6, pc}\n");
}

static NIBBLE_NAKED int32_t nibble_mean_sum_s8(const int8_t* src NIBBLE_UNUSED,
                                               int32_t count NIBBLE_UNUSED) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4, lr}\n"
      "mov r2, #0\n"
      "dlstp.8 lr, r1\n"
      "1:\n"
      "vldrb.u8 q0, [r0], #16\n"
      "vaddva.s8 r2, q0\n"
      "letp lr, 1b\n"
      "mov r0, r2\n"
      "pop {r4, pc}\n");
}
NIBBLE_ASSEMBLY_END
#elif defined(__riscv_v)
static inline int32_t nibble_mean_place(int32_t c) { return c; }

NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_mean_add_run_s8(const int8_t* src NIBBLE_UNUSED,
                                                int32_t step NIBBLE_UNUSED,
                                                int32_t count NIBBLE_UNUSED,
                                                int32_t* sums NIBBLE_UNUSED,
                                                int32_t channels NIBBLE_UNUSED) {
  __asm__ volatile(
      "1:\n"
      "vsetvli t0, a4, e16, m4, ta, ma\n"
      "vmv.v.i v8, 0\n"
      "vsetvli zero, zero, e8, m2, ta, ma\n"
      "mv a5, a0\n"
      "mv a6, a2\n"
      "2:\n"
      "vle8.v v0, (a5)\n"
      "add a5, a5, a1\n"
      "addi a6, a6, -1\n"
      "vwadd.wv v8, v8, v0\n"
      "bnez a6, 2b\n"
      "vsetvli zero, zero, e32, m8, ta, ma\n"
      "vle32.v v16, (a3)\n"
      "vsext.vf2 v24, v8\n"
      "vadd.vv v16, v16, v24\n"
      "vse32.v v16, (a3)\n"
      "slli t1, t0, 2\n"
      "add a3, a3, t1\n"
      "add a0, a0, t0\n"
      "sub a4, a4, t0\n"
      "bnez a4, 1b\n"
      "ret\n");
}

static NIBBLE_NAKED int32_t nibble_mean_sum_s8(const int8_t* src NIBBLE_UNUSED,
                                               int32_t count NIBBLE_UNUSED) {
  __asm__ volatile(
      "li a2, 0\n"
      "vsetivli zero, 1, e16, m1, ta, ma\n"
      "vmv.v.i v16, 0\n"
      "1:\n"
      "vsetvli t0, a1, e8, m8, ta, ma\n"
      "vle8.v v0, (a0)\n"
      "vwredsum.vs v24, v0, v16\n"
      "vsetivli zero, 1, e16, m1, ta, ma\n"
      "vmv.x.s t1, v24\n"
      "add a2, a2, t1\n"
      "add a0, a0, t0\n"
      "sub a1, a1, t0\n"
      "bnez a1, 1b\n"
      "mv a0, a2\n"
      "ret\n");
}
NIBBLE_ASSEMBLY_END
#else
static inline int32_t nibble_mean_place(int32_t c) { return c; }

static inline void nibble_mean_add_run_s8(const int8_t* src, int32_t step, int32_t count,
                                          int32_t* sums, int32_t channels) {
  for (int32_t i = 0; i < count; ++i, src += step)
    for (int32_t c = 0; c < channels; ++c) sums[c] += src[c];
}

static inline int32_t nibble_mean_sum_s8(const int8_t* src, int32_t count) {
  int32_t sum = 0;
  for (int32_t i = 0; i < count; ++i) sum += src[i];
  return sum;
}
#endif

static inline int8_t nibble_mean_output_s8(const nibble_mean_s8_args* args, int32_t sum) {
  return nibble_output_s8(sum - args->in_zero * (args->axis_a * args->axis_b), args->multiplier,
                          args->exponent, args->rounding, args->out_zero, args->act_min,
                          args->act_max);
}

NIBBLE_LOOP void nibble_mean_of_block_s8(const nibble_mean_s8_args* args,
                                         const nibble_taps_s8* taps, const int8_t* src, int8_t* dst,
                                         int32_t channels) {
  int32_t sums[NIBBLE_MEAN_BLOCK];
  memset(sums, 0, sizeof sums);
  for (int32_t row = 0; row < taps->rows; ++row) {
    for (int32_t left = taps->columns; left > 0; left -= NIBBLE_MEAN_RUN) {
      int32_t count = left < NIBBLE_MEAN_RUN ? left : (int32_t)NIBBLE_MEAN_RUN;
      nibble_mean_add_run_s8(src, taps->column_step, count, sums, channels);
      src += count * taps->column_step;
    }
    src += taps->row_step;
  }
  for (int32_t c = 0; c < channels; ++c)
    dst[c] = nibble_mean_output_s8(args, sums[nibble_mean_place(c)]);
}

static inline void nibble_mean_s8_vectors(const nibble_mean_s8_args* args, const int8_t* src,
                                          int8_t* dst) {
  int32_t inner = args->inner;
  int32_t block = args->axis_b * inner;
  nibble_taps_s8 taps;
  taps.rows = args->axis_a;
  taps.columns = args->axis_b;
  taps.column_step = inner;
  taps.row_step = args->middle * block - block;
  taps = nibble_joined_taps_s8(taps);
  for (int32_t o = 0; o < args->outer; ++o) {
    for (int32_t m = 0; m < args->middle; ++m) {
      const int8_t* first = src + m * block;
      if (taps.column_step == 1 && inner == 1) {
        int32_t sum = 0;
        for (int32_t row = 0; row < taps.rows; ++row, first += taps.columns + taps.row_step)
          sum += nibble_mean_sum_s8(first, taps.columns);
        *dst++ = nibble_mean_output_s8(args, sum);
        continue;
      }
      for (int32_t c = 0; c < inner; c += NIBBLE_MEAN_BLOCK) {
        int32_t channels = inner - c < NIBBLE_MEAN_BLOCK ? inner - c : (int32_t)NIBBLE_MEAN_BLOCK;
        nibble_mean_of_block_s8(args, &taps, first + c, dst + c, channels);
      }
      dst += inner;
    }
    src += args->axis_a * args->middle * block;
  }
}

#endif
