/* max_pool2d_s8 with channels across the lanes of a vector: sixteen at once (Helium) or 128
   (RISC-V), for runs of pixels whose windows have equally many taps. */
#ifndef NIBBLE_MAX_POOL2D_MAX_POOL2D_S8_VECTORS_H
#define NIBBLE_MAX_POOL2D_MAX_POOL2D_S8_VECTORS_H

#include "common/requant.h"
#include "common/window.h"
#include "max_pool2d/max_pool2d_s8.h"

/* Outputs beside each other. The assembly knows this layout. */
typedef struct {
  const int8_t* src; /* first tap of the first */
  int8_t* dst;
  int32_t rows;
  int32_t columns;
  int32_t column_step;
  int32_t row_step; /* from behind a row's last tap to the next row */
  int32_t channels;
  int32_t act_min;
  int32_t act_max;
  int32_t pixels;
  int32_t pixel_step;
} nibble_max_pool2d_s8_run;

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_max_pool2d_s8_pixels(
    const nibble_max_pool2d_s8_run* run NIBBLE_UNUSED) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r12, lr}\n"
      "ldrd r1, r2, [r0]\n"
      "ldrd r8, r9, [r0, #16]\n"
      "ldrd r10, r12, [r0, #36]\n"
      "add r12, r12, r1\n"
      "1:\n"
      "ldr r3, [r0, #24]\n"
      "2:\n"
      "vctp.8 r3\n"
      "ldrd r4, r11, [r0, #28]\n"
      "vdup.8 q0, r4\n"
      "vdup.8 q2, r11\n"
      "mov r5, r1\n"
      "ldrd r6, r7, [r0, #8]\n"
      "3:\n"
      "dls lr, r7\n"
      "4:\n"
      "vpst\n"
      "vldrbt.u8 q1, [r5]\n"
      "vmax.s8 q0, q0, q1\n"
      "add r5, r5, r8\n"
      "le lr, 4b\n"
      "add r5, r5, r9\n"
      "subs r6, r6, #1\n"
      "bne 3b\n"
      "vmin.s8 q0, q0, q2\n"
      "vpst\n"
      "vstrbt.8 q0, [r2]\n"
      "add r1, r1, #16\n"
      "add r2, r2, #16\n"
      "subs r3, r3, #16\n"
      "bgt 2b\n"
      "add r2, r2, r3\n"
      "mov r1, r12\n"
      "ldr r4, [r0, #40]\n"
      "add r12, r12, r4\n"
      "subs r10, r10, #1\n"
      "bne 1b\n"
      "pop {r4-r12, pc}\n");
}
NIBBLE_ASSEMBLY_END
#elif defined(__riscv_v)
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_max_pool2d_s8_pixels(
    const nibble_max_pool2d_s8_run* run NIBBLE_UNUSED) {
  __asm__ volatile(
      "lw a1, 0(a0)\n"
      "lw a2, 4(a0)\n"
      "lw t3, 16(a0)\n"
      "lw t4, 20(a0)\n"
      "lw t5, 28(a0)\n"
      "lw t6, 32(a0)\n"
      "lw a7, 36(a0)\n"
      "1:\n"
      "lw a3, 24(a0)\n"
      "mv t2, a1\n"
      "2:\n"
      "vsetvli t0, a3, e8, m8, ta, ma\n"
      "vmv.v.x v8, t5\n"
      "mv a4, a1\n"
      "lw a5, 8(a0)\n"
      "3:\n"
      "lw a6, 12(a0)\n"
      "4:\n"
      "vle8.v v0, (a4)\n"
      "add a4, a4, t3\n"
      "addi a6, a6, -1\n"
      "vmax.vv v8, v8, v0\n"
      "bnez a6, 4b\n"
      "add a4, a4, t4\n"
      "addi a5, a5, -1\n"
      "bnez a5, 3b\n"
      "vmin.vx v8, v8, t6\n"
      "vse8.v v8, (a2)\n"
      "add a1, a1, t0\n"
      "add a2, a2, t0\n"
      "sub a3, a3, t0\n"
      "bnez a3, 2b\n"
      "lw a6, 40(a0)\n"
      "add a1, t2, a6\n"
      "addi a7, a7, -1\n"
      "bnez a7, 1b\n"
      "ret\n");
}
NIBBLE_ASSEMBLY_END
#else
static inline void nibble_max_pool2d_s8_pixels(const nibble_max_pool2d_s8_run* run) {
  const int8_t* src = run->src;
  int8_t* dst = run->dst;
  for (int32_t pixel = 0; pixel < run->pixels; ++pixel, src += run->pixel_step) {
    for (int32_t channel = 0; channel < run->channels; ++channel) {
      const int8_t* tap = src + channel;
      int32_t max = run->act_min;
      for (int32_t i = 0; i < run->rows; ++i, tap += run->row_step)
        for (int32_t j = 0; j < run->columns; ++j, tap += run->column_step)
          if (*tap > max) max = *tap;
      *dst++ = (int8_t)(max > run->act_max ? run->act_max : max);
    }
  }
}
#endif

/* Outputs from one whose window starts at x on that have all taps of a row inside; 1 if it has not.
 */
static inline int32_t nibble_max_pool2d_s8_whole(const nibble_max_pool2d_s8_args* args, int32_t x,
                                                 int32_t left) {
  int32_t room = args->in_w - 1 - (args->k_w - 1) * args->dilation_w - x;
  if (x < 0 || room < 0) return 1;
  int32_t pixels = room / args->stride_w + 1;
  return pixels < left ? pixels : left;
}

NIBBLE_LOOP void nibble_max_pool2d_s8_vectors(const nibble_max_pool2d_s8_args* args,
                                              const int8_t* src, int8_t* dst, int32_t first_row,
                                              int32_t end_row) {
  int32_t channels = args->channels;
  nibble_max_pool2d_s8_run run;
  run.channels = channels;
  run.act_min = args->act_min;
  run.act_max = args->act_max;
  run.column_step = args->dilation_w * channels;
  run.pixel_step = args->stride_w * channels;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * args->stride_h - args->pad_top;
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      run.rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      for (int32_t ox = 0; ox < args->out_w; ox += run.pixels) {
        int32_t x = ox * args->stride_w - args->pad_left;
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        run.columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        run.pixels = nibble_max_pool2d_s8_whole(args, x, args->out_w - ox);
        run.row_step = args->dilation_h * args->in_w * channels - run.columns * run.column_step;
        run.src =
            src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * channels;
        run.dst = dst + (oy * args->out_w + ox) * channels;
        nibble_max_pool2d_s8_pixels(&run);
      }
    }
    src += args->in_h * args->in_w * channels;
    dst += args->out_h * args->out_w * channels;
  }
}

#endif
