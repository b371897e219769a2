/* conv2d_s16s8 (one group) and dense_s16s8 from packed streams, a few pixels by a group of output
   channels: what the generated functions of cores without SIMD, and of cores with RISC-V vectors,
   compute around a block kernel. It is also the contract of the streams.

   A window is `len` elements: the taps in order, then zeros. Windows lie one after the other in
   scratch, or, without scratch, in the source itself (one tap, nothing outside, all elements
   wanted).

   Cores without SIMD: the block kernel gives sums of products, of `segment` elements at most, which
   32 bits hold. Its stream is the weights of each group (the last one filled up with channels of
   zeros), by element of the window, `lanes` bytes each; unsigned_weights: each plus 128. The table
   has for each channel either
     start, doubled: (start + sum) * doubled / 2^32, to nearest, ties up (short; segment is len), or
     the two words of the bias (lower first), multiplier, exponent: common/output_s16.h (long).
   With vectors a block is one function, for the short form. */
#ifndef NIBBLE_CONV2D_CONV2D_S16S8_GROUPS_H
#define NIBBLE_CONV2D_CONV2D_S16S8_GROUPS_H

#include "common/output_s16.h"
#include "common/rescale_s16.h"
#include "common/window_s16.h"

enum { NIBBLE_GROUPS_MOST_PIXELS = 4, NIBBLE_GROUPS_MOST_SUMS = 16 };

/* What a block is, whatever layer it belongs to. Assembly knows this layout. */
typedef struct {
  int32_t pixels;
  int32_t lanes;
  int32_t unsigned_weights;
  int32_t len;
  int32_t segment;
  int32_t out_c;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_groups_s16;

/* sums[pixel][lane] of the elements from `window` up to window_end, pixels `pitch` bytes apart. */
typedef void (*nibble_groups_s16_sums)(const int16_t* window, const uint8_t* weights, int32_t* sums,
                                       int32_t pitch, const int16_t* window_end);

/* The same in plain C. */
static inline void nibble_groups_s16_sums_plain(const int16_t* window, const uint8_t* weights,
                                                int32_t* sums, int32_t pitch,
                                                const int16_t* window_end, int32_t pixels,
                                                int32_t lanes, int32_t unsigned_weights) {
  int32_t len = (int32_t)(window_end - window);
  for (int32_t pixel = 0; pixel < pixels; ++pixel)
    for (int32_t lane = 0; lane < lanes; ++lane) {
      uint32_t sum = 0;
      for (int32_t i = 0; i < len; ++i) {
        int32_t weight = weights[i * lanes + lane];
        if (!unsigned_weights) weight = (int8_t)weight;
        sum += (uint32_t)(window[pixel * (pitch / 2) + i] * weight);
      }
      sums[pixel * lanes + lane] = (int32_t)sum;
    }
}

/* What unsigned weights add to the sums of a pixel. */
static inline uint32_t nibble_groups_s16_excess(const int16_t* window, int32_t len) {
  uint32_t first = 0, second = 0;
  for (const int16_t* end = window + len; window != end; window += 4) {
    first += (uint32_t)(window[0] + window[1]);
    second += (uint32_t)(window[2] + window[3]);
  }
  return (first + second) * 128u;
}

/* All channels of a block, whose pixels are `pitch` elements apart in the window; its outputs are
   `step` elements apart. */
typedef void (*nibble_groups_s16_block)(const nibble_groups_s16* args,
                                        nibble_groups_s16_sums kernel, const int16_t* window,
                                        int32_t pitch, const uint8_t* weights,
                                        const uint32_t* table, int16_t* dst, int32_t step);

static inline void nibble_groups_s16_block_short(const nibble_groups_s16* args,
                                                 nibble_groups_s16_sums kernel,
                                                 const int16_t* window, int32_t pitch,
                                                 const uint8_t* weights, const uint32_t* table,
                                                 int16_t* dst, int32_t step) {
  int32_t sums[NIBBLE_GROUPS_MOST_SUMS];
  uint32_t excess[NIBBLE_GROUPS_MOST_PIXELS] = {0, 0, 0, 0};
  int32_t pixels = args->pixels, lanes = args->lanes, low = args->act_min, high = args->act_max;
  int32_t left = args->out_c, count = lanes;
  if (args->unsigned_weights)
    for (int32_t pixel = 0; pixel < pixels; ++pixel)
      excess[pixel] = nibble_groups_s16_excess(window + pixel * pitch, args->len);
  for (; left > 0; left -= lanes, weights += args->len * lanes) {
    kernel(window, weights, sums, 2 * pitch, window + args->len);
    if (left < lanes) count = left;
    for (int32_t lane = 0; lane < count; ++lane, table += 2, ++dst) {
      const int32_t* sum = sums + lane;
      int32_t doubled = (int32_t)table[1];
      int16_t* to = dst;
      for (int32_t pixel = 0; pixel < pixels; ++pixel, sum += lanes, to += step) {
        int32_t acc = (int32_t)((uint32_t)*sum + table[0] - excess[pixel]);
#if defined(__thumb__) && !defined(__thumb2__)
        int32_t value = nibble_high_mul_up_s16(acc, doubled >> 1);
#else
        int32_t value = (int32_t)(((int64_t)acc * doubled + ((int64_t)1 << 31)) >> 32);
#endif
        *to = (int16_t)nibble_clamp(value, low, high);
      }
    }
  }
}

static inline void nibble_groups_s16_block_long(const nibble_groups_s16* args,
                                                nibble_groups_s16_sums kernel,
                                                const int16_t* window, int32_t pitch,
                                                const uint8_t* weights, const uint32_t* table,
                                                int16_t* dst, int32_t step) {
  int64_t accs[NIBBLE_GROUPS_MOST_SUMS];
  int32_t sums[NIBBLE_GROUPS_MOST_SUMS];
  int32_t lanes = args->lanes;
  for (int32_t left = args->out_c; left > 0; left -= lanes) {
    int32_t count = left < lanes ? left : lanes;
    memset(accs, 0, sizeof accs);
    for (int32_t at = 0; at < args->len; at += args->segment) {
      int32_t len = args->len - at < args->segment ? args->len - at : args->segment;
      kernel(window + at, weights, sums, 2 * pitch, window + at + len);
      weights += len * lanes;
      for (int32_t pixel = 0; pixel < args->pixels; ++pixel) {
        uint32_t excess =
            args->unsigned_weights ? nibble_groups_s16_excess(window + pixel * pitch + at, len) : 0;
        for (int32_t lane = pixel * lanes; lane < (pixel + 1) * lanes; ++lane)
          accs[lane] += (int32_t)((uint32_t)sums[lane] - excess);
      }
    }
    for (int32_t lane = 0; lane < count; ++lane, table += 4, ++dst) {
      int64_t bias = (int64_t)((uint64_t)table[1] << 32 | table[0]);
      for (int32_t pixel = 0; pixel < args->pixels; ++pixel)
        dst[pixel * step] =
            nibble_output_s16(accs[pixel * lanes + lane] + bias, (int32_t)table[2],
                              (int32_t)table[3], args->rounding, args->act_min, args->act_max);
    }
  }
}

/* The short form in plain C, without a kernel: any number of pixels and lanes. */
static inline void nibble_groups_s16_block_plain(const nibble_groups_s16* args,
                                                 const int16_t* window, int32_t pitch,
                                                 const uint8_t* weights, const uint32_t* table,
                                                 int16_t* dst, int32_t step) {
  for (int32_t channel = 0; channel < args->out_c; ++channel, table += 2) {
    const uint8_t* lane =
        weights + channel / args->lanes * args->lanes * args->len + channel % args->lanes;
    for (int32_t pixel = 0; pixel < args->pixels; ++pixel) {
      int32_t acc = (int32_t)table[0], value;
      for (int32_t i = 0; i < args->len; ++i)
        acc += window[pixel * pitch + i] * (int8_t)lane[i * args->lanes];
      value = (int32_t)(((int64_t)acc * (int32_t)table[1] + ((int64_t)1 << 31)) >> 32);
      dst[pixel * step + channel] = (int16_t)nibble_clamp(value, args->act_min, args->act_max);
    }
  }
}

typedef struct {
  nibble_window_s16 shape;
  int32_t batches;
  int32_t out_h;
  nibble_groups_s16 groups;
} nibble_conv2d_s16s8_groups_args;

/* Pixels in the order of dst, a block at a time; the last block starts so early that it is whole.
   Fewer pixels than a block go one by one: such a block reads and writes one pixel several times.
   scratch: the windows of a block, or NULL: they lie in the source. Where windows are gathered, all
   of a block is read before any of it is written. */
NIBBLE_LOOP void nibble_conv2d_s16s8_groups(const nibble_conv2d_s16s8_groups_args* args,
                                            nibble_groups_s16_block block,
                                            nibble_groups_s16_sums kernel, const int16_t* src,
                                            int16_t* dst, int16_t* scratch, const uint8_t* weights,
                                            const uint32_t* table, int32_t first_row,
                                            int32_t end_row) {
  const nibble_window_s16* shape = &args->shape;
  const nibble_groups_s16* groups = &args->groups;
  int32_t len = groups->len, out_c = groups->out_c;
  int32_t run_len = (shape->dilation_w == 1 ? shape->k_w : 1) * shape->in_c;
  int32_t count = (end_row - first_row) * shape->out_w;
  int32_t pixels = count >= groups->pixels ? groups->pixels : 1;
  int32_t step = pixels > 1 ? out_c : 0;
  if (scratch) memset(scratch, 0, (size_t)(groups->pixels * len) * sizeof *scratch);
  for (int32_t n = 0; n < args->batches; ++n) {
    for (int32_t at = 0; at < count; at += pixels) {
      int32_t first = first_row * shape->out_w + (at + pixels <= count ? at : count - pixels);
      int16_t* to = dst + first * out_c;
      if (!scratch) {
        block(groups, kernel, src + first * len, pixels > 1 ? len : 0, weights, table, to, step);
        continue;
      }
      int32_t oy = first / shape->out_w, ox = first % shape->out_w;
      for (int32_t pixel = 0; pixel < pixels; ++pixel) {
        nibble_gather_s16(shape, src, oy, ox, run_len, nibble_put_row_s16, scratch + pixel * len);
        if (++ox == shape->out_w) {
          ox = 0;
          ++oy;
        }
      }
      block(groups, kernel, scratch, pixels > 1 ? len : 0, weights, table, to, step);
    }
    src += shape->in_h * shape->in_w * shape->in_c;
    dst += args->out_h * shape->out_w * out_c;
  }
}

#endif
