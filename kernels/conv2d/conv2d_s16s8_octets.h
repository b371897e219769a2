/* conv2d_s16s8 (one group) and dense_s16s8 from packed streams: what the generated functions of
   cores with Helium compute, around block kernels of four pixels by two channels and of one row by
   eight channels. It is also the contract of the streams. All accumulators fit 32 bits and the
   rounding is `reduced`; the packer has proved it.

   Elements are taken eight at a time. The window of a block is [step][pixel][8], its runs one after
   the other; `steps` is rounded up to what a block kernel takes in a round, zeros behind.
   A stream is groups of channels (two or eight; the last one filled up with channels of zeros): the
   start values (bias); for each step eight weights of each channel, a byte each; `doubled` of each
   channel: (acc * doubled + 2^31) >> 32. */
#ifndef NIBBLE_CONV2D_CONV2D_S16S8_OCTETS_H
#define NIBBLE_CONV2D_CONV2D_S16S8_OCTETS_H

#include "common/output_s16.h"
#include "common/window_s16.h"

enum { NIBBLE_OCTET = 8, NIBBLE_OCTETS_PIXELS = 4 };

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define NIBBLE_OCTETS_ASSEMBLY 1
#endif

/* Puts a run into [step][pixel][8]. */
static inline void nibble_put_octets_s16(int16_t* to, int32_t at, const int16_t* from,
                                         int32_t len) {
  int32_t i = 0;
  int16_t* step = to + at / NIBBLE_OCTET * NIBBLE_OCTET * NIBBLE_OCTETS_PIXELS;
  at %= NIBBLE_OCTET;
#ifdef NIBBLE_OCTETS_ASSEMBLY
  if (at == 0 && len > 0) {
    if (from)
      __asm__ volatile(
          "wlstp.16 lr, %2, 2f\n"
          "1:\n"
          "vldrh.u16 q0, [%1], #16\n"
          "vstrh.16 q0, [%0], #64\n"
          "letp lr, 1b\n"
          "2:"
          : "+r"(step), "+r"(from)
          : "r"(len)
          : "lr", "q0", "memory");
    else
      __asm__ volatile(
          "vmov.i32 q0, #0\n"
          "wlstp.16 lr, %1, 2f\n"
          "1:\n"
          "vstrh.16 q0, [%0], #64\n"
          "letp lr, 1b\n"
          "2:"
          : "+r"(step)
          : "r"(len)
          : "lr", "q0", "memory");
    return;
  }
#endif
  for (; i < len; ++i) {
    step[at] = from ? from[i] : (int16_t)0;
    if (++at == NIBBLE_OCTET) {
      at = 0;
      step += NIBBLE_OCTET * NIBBLE_OCTETS_PIXELS;
    }
  }
}

/* A block kernel in plain C: `pixels` pixels by groups of `channels`, of which `last` are written
   of the last group. */
static inline void nibble_octets_block(const int16_t* window, const int8_t* stream, int16_t* dst,
                                       int32_t pitch, int32_t steps, int32_t groups, int32_t last,
                                       int32_t pixels, int32_t channels, int32_t act_min,
                                       int32_t act_max) {
  for (; groups > 0; --groups) {
    const int8_t* weights = stream + 4 * channels;
    const int8_t* rescale = weights + steps * channels * NIBBLE_OCTET;
    for (int32_t channel = 0; channel < (groups > 1 ? channels : last); ++channel) {
      int32_t start, doubled;
      memcpy(&start, stream + 4 * channel, sizeof start);
      memcpy(&doubled, rescale + 4 * channel, sizeof doubled);
      for (int32_t pixel = 0; pixel < pixels; ++pixel) {
        int32_t acc = start, value;
        for (int32_t step = 0; step < steps; ++step)
          for (int32_t i = 0; i < NIBBLE_OCTET; ++i)
            acc += window[(step * pixels + pixel) * NIBBLE_OCTET + i] *
                   weights[(step * channels + channel) * NIBBLE_OCTET + i];
        value = (int32_t)(((int64_t)acc * doubled + ((int64_t)1 << 31)) >> 32);
        dst[pixel * (pitch / 2) + channel] = (int16_t)nibble_clamp(value, act_min, act_max);
      }
    }
    stream = rescale + 4 * channels;
    dst += channels;
  }
}

/* `shape`: steps, groups and channels of the last group. */
typedef void (*nibble_octets_kernel)(const int16_t* window, const int8_t* stream, int16_t* dst,
                                     int32_t pitch, const int32_t* shape);

typedef struct {
  nibble_window_s16 shape;
  int32_t batches;
  int32_t out_h;
  int32_t out_c;
  int32_t steps_groups_last[3];
} nibble_conv2d_s16s8_octets_args;

/* Pixels in the order of dst, four at a time; the last block starts so early that it is whole. All
   of a block is read before any of it is written. Fewer pixels than four go one by one. scratch: 64
   bytes for each step. */
static inline void nibble_conv2d_s16s8_octets(const nibble_conv2d_s16s8_octets_args* args,
                                              nibble_octets_kernel kernel, const int16_t* src,
                                              int16_t* dst, int16_t* scratch, const int8_t* stream,
                                              int32_t first_row, int32_t end_row) {
  const nibble_window_s16* shape = &args->shape;
  int32_t run_len = (shape->dilation_w == 1 ? shape->k_w : 1) * shape->in_c;
  int32_t steps = args->steps_groups_last[0];
  memset(scratch, 0, (size_t)steps * 2 * NIBBLE_OCTET * NIBBLE_OCTETS_PIXELS);
  int32_t count = (end_row - first_row) * shape->out_w;
  int32_t pixels = count >= NIBBLE_OCTETS_PIXELS ? (int32_t)NIBBLE_OCTETS_PIXELS : 1;
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t at = 0; at < count; at += pixels) {
      int32_t first = at + pixels <= count ? at : count - pixels;
      int32_t oy = first_row + first / shape->out_w, ox = first % shape->out_w;
      /* One pixel alone is written four times to the same place. */
      for (int32_t pixel = 0; pixel < NIBBLE_OCTETS_PIXELS; ++pixel) {
        nibble_gather_s16(shape, src, oy, ox, run_len, nibble_put_octets_s16,
                          scratch + pixel * NIBBLE_OCTET);
        if (pixels > 1 && ++ox == shape->out_w) {
          ox = 0;
          ++oy;
        }
      }
      kernel(scratch, stream, dst + (first_row * shape->out_w + first) * args->out_c,
             pixels > 1 ? 2 * args->out_c : 0, args->steps_groups_last);
    }
    src += shape->in_h * shape->in_w * shape->in_c;
    dst += args->out_h * shape->out_w * args->out_c;
  }
}

/* dense: `rows` rows by the kernel of one row by eight channels; scratch, where in_len is no
   multiple of eight: 16 bytes for each step. */
static inline void nibble_dense_s16s8_octets(int32_t rows, int32_t in_len, int32_t out_len,
                                             const int32_t* steps_groups_last,
                                             nibble_octets_kernel kernel, const int16_t* src,
                                             int16_t* dst, int16_t* scratch, const int8_t* stream) {
  for (; rows > 0; --rows, src += in_len, dst += out_len) {
    const int16_t* from = src;
    if (scratch) {
      memcpy(scratch, src, (size_t)in_len * sizeof *src);
      memset(scratch + in_len, 0,
             (size_t)(steps_groups_last[0] * NIBBLE_OCTET - in_len) * sizeof *src);
      from = scratch;
    }
    kernel(from, stream, dst, 0, steps_groups_last);
  }
}

#endif
