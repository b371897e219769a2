/* avg_pool2d_s8 with channels across the lanes of a vector: sums of 16 bits, eight at once (Helium)
   or 64 (RISC-V). For windows of up to 256 taps, so that a sum stays within 16 bits.

   With n = |sum| + count / 2 < 2^16 and r = ceil(2^24 / count), n * r / 2^24 rounded down is n /
   count rounded down: n * (r * count - 2^24) < 2^16 * 2^8. And n * r < 2^32, because n <= 128.5
   count. */
#ifndef NIBBLE_AVG_POOL2D_AVG_POOL2D_S8_VECTORS_H
#define NIBBLE_AVG_POOL2D_AVG_POOL2D_S8_VECTORS_H

#include "avg_pool2d/avg_pool2d_s8.h"
#include "common/requant.h"
#include "common/window.h"

/* One output pixel. The assembly knows this layout. */
typedef struct {
  const int8_t* src; /* first tap */
  int8_t* dst;
  int32_t rows;
  int32_t columns;
  int32_t column_step;
  int32_t row_step; /* from behind a row's last tap to the next row */
  int32_t channels;
  int32_t start; /* of the sums */
  int32_t half;  /* count / 2 */
  uint32_t reciprocal;
  int32_t act_min;
  int32_t act_max;
} nibble_avg_pool2d_s8_window;

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_avg_pool2d_s8_pixel(
    const nibble_avg_pool2d_s8_window* window NIBBLE_UNUSED) {
  __asm__ volatile(
      ".syntax unified\n"
      "push {r4-r9, lr}\n"
      "ldrd r1, r2, [r0]\n"
      "ldr r3, [r0, #24]\n"
      "1:\n"
      "vctp.16 r3\n"
      "ldr r4, [r0, #28]\n"
      "vdup.16 q0, r4\n"
      "mov r5, r1\n"
      "ldrd r6, r7, [r0, #8]\n"
      "ldrd r8, r9, [r0, #16]\n"
      "2:\n"
      "dls lr, r7\n"
      "3:\n"
      "vpst\n"
      "vldrbt.s16 q1, [r5]\n"
      "vadd.i16 q0, q0, q1\n"
      "add r5, r5, r8\n"
      "le lr, 3b\n"
      "add r5, r5, r9\n"
      "subs r6, r6, #1\n"
      "bne 2b\n"
      "ldrd r4, r5, [r0, #32]\n"
      "vabs.s16 q1, q0\n"
      "vmovlb.u16 q2, q1\n"
      "vmovlt.u16 q3, q1\n"
      "vadd.i32 q2, q2, r4\n"
      "vadd.i32 q3, q3, r4\n"
      "vmul.i32 q2, q2, r5\n"
      "vmul.i32 q3, q3, r5\n"
      "vshr.u32 q2, q2, #24\n"
      "vshr.u32 q3, q3, #24\n"
      "vmovnb.i32 q1, q2\n"
      "vmovnt.i32 q1, q3\n"
      "vshr.s16 q0, q0, #15\n"
      "veor q1, q1, q0\n"
      "vsub.i16 q1, q1, q0\n"
      "ldrd r4, r5, [r0, #40]\n"
      "vdup.16 q2, r4\n"
      "vmax.s16 q1, q1, q2\n"
      "vdup.16 q2, r5\n"
      "vmin.s16 q1, q1, q2\n"
      "vpst\n"
      "vstrbt.16 q1, [r2], #8\n"
      "add r1, r1, #8\n"
      "subs r3, r3, #8\n"
      "bgt 1b\n"
      "pop {r4-r9, pc}\n");
}
NIBBLE_ASSEMBLY_END
#elif defined(__riscv_v)
NIBBLE_ASSEMBLY_BEGIN
static NIBBLE_NAKED void nibble_avg_pool2d_s8_pixel(
    const nibble_avg_pool2d_s8_window* window NIBBLE_UNUSED) {
  __asm__ volatile(
      "lw a1, 0(a0)\n"
      "lw a2, 4(a0)\n"
      "lw a3, 24(a0)\n"
      "lw t3, 16(a0)\n"
      "lw t4, 20(a0)\n"
      "lw t5, 32(a0)\n"
      "lw t6, 36(a0)\n"
      "1:\n"
      "lw t1, 28(a0)\n"
      "vsetvli t0, a3, e16, m8, ta, ma\n"
      "vmv.v.x v8, t1\n"
      "vsetvli zero, zero, e8, m4, ta, ma\n"
      "mv a4, a1\n"
      "lw a5, 8(a0)\n"
      "2:\n"
      "lw a6, 12(a0)\n"
      "3:\n"
      "vle8.v v0, (a4)\n"
      "add a4, a4, t3\n"
      "addi a6, a6, -1\n"
      "vwadd.wv v8, v8, v0\n"
      "bnez a6, 3b\n"
      "add a4, a4, t4\n"
      "addi a5, a5, -1\n"
      "bnez a5, 2b\n"
      "vsetvli zero, zero, e16, m8, ta, ma\n"
      "vsra.vi v24, v8, 15\n"
      "vxor.vv v8, v8, v24\n"
      "vsub.vv v8, v8, v24\n"
      "vadd.vx v8, v8, t5\n"
      "vsetvli t1, zero, e32, m8, ta, ma\n"
      "vzext.vf2 v16, v8\n"
      "vmul.vx v16, v16, t6\n"
      "vsetvli t1, zero, e16, m4, ta, ma\n"
      "vnsrl.wi v0, v16, 24\n"
      "vsetvli t1, zero, e32, m8, ta, ma\n"
      "vzext.vf2 v16, v12\n"
      "vmul.vx v16, v16, t6\n"
      "vsetvli t1, zero, e16, m4, ta, ma\n"
      "vnsrl.wi v4, v16, 24\n"
      "vsetvli zero, t0, e16, m8, ta, ma\n"
      "vxor.vv v0, v0, v24\n"
      "vsub.vv v0, v0, v24\n"
      "lw a6, 40(a0)\n"
      "vmax.vx v0, v0, a6\n"
      "lw a6, 44(a0)\n"
      "vmin.vx v0, v0, a6\n"
      "vsetvli zero, zero, e8, m4, ta, ma\n"
      "vnsrl.wi v8, v0, 0\n"
      "vse8.v v8, (a2)\n"
      "add a1, a1, t0\n"
      "add a2, a2, t0\n"
      "sub a3, a3, t0\n"
      "bnez a3, 1b\n"
      "ret\n");
}
NIBBLE_ASSEMBLY_END
#else
static inline void nibble_avg_pool2d_s8_pixel(const nibble_avg_pool2d_s8_window* window) {
  for (int32_t channel = 0; channel < window->channels; ++channel) {
    const int8_t* tap = window->src + channel;
    int32_t sum = window->start, average;
    for (int32_t i = 0; i < window->rows; ++i, tap += window->row_step)
      for (int32_t j = 0; j < window->columns; ++j, tap += window->column_step) sum += *tap;
    average =
        (int32_t)(((uint32_t)((sum < 0 ? -sum : sum) + window->half) * window->reciprocal) >> 24);
    window->dst[channel] =
        (int8_t)nibble_clamp(sum < 0 ? -average : average, window->act_min, window->act_max);
  }
}
#endif

NIBBLE_LOOP void nibble_avg_pool2d_s8_vectors(const nibble_avg_pool2d_s8_args* args,
                                              const int8_t* src, int8_t* dst, int32_t first_row,
                                              int32_t end_row) {
  int32_t channels = args->channels;
  nibble_avg_pool2d_s8_window window;
  window.channels = channels;
  window.act_min = args->act_min;
  window.act_max = args->act_max;
  window.column_step = args->dilation_w * channels;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * args->stride_h - args->pad_top;
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      window.rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      for (int32_t ox = 0; ox < args->out_w; ++ox) {
        int32_t x = ox * args->stride_w - args->pad_left;
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        window.columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        window.row_step =
            args->dilation_h * args->in_w * channels - window.columns * window.column_step;
        int32_t inside = window.rows * window.columns;
        int32_t count = args->count_pad ? args->k_h * args->k_w : inside;
        window.start = (count - inside) * args->pad_value;
        window.half = count / 2;
        window.reciprocal = (uint32_t)((((int32_t)1 << 24) + count - 1) / count);
        window.src =
            src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * channels;
        window.dst = dst + (oy * args->out_w + ox) * channels;
        nibble_avg_pool2d_s8_pixel(&window);
      }
    }
    src += args->in_h * args->in_w * channels;
    dst += args->out_h * args->out_w * channels;
  }
}

#endif
