/* depthwise_conv2d_s8 (no dilation) from a packed stream, in plain C: what the generated functions
   of cores with 16-bit multiply-accumulate pairs compute. It is also the contract of the stream.

   The stream is the header (the fields below, a word each), then groups of four input channels; the
   last one starts so early that it is whole, too, and leaves out what the group before computed. A
   group: first input channel | planes to skip << 16; bytes of its records; the records of its
   output channels. A record: plane     with several output channels per input channel only: where
   the planes of its input channel are start, scale kernels of up to 3 x 3, with w = 0 where there
   is no tap: w[0][kx] | w[1][kx] << 16 for kx = 0, 1, 2; w[2][0] | w[2][1] << 16; shift | w[2][2]
   << 16 others:   shift, then for pairs of rows j and kx two words: w[2 j][kx] | w[2 j + 1][kx] <<
   16 and, for the next output row, the same with rows less by the stride affine: weights are
   multiplied by 2^(g - 8); with elements that are multiplied by 256, output = floor((start + sum) *
   scale / 2^48), saturated. Otherwise `start` is the bias, `scale` 2 * multiplier modulo 2^32 and
   `shift` -exponent - 1. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PAIRS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PAIRS_H

#include "common/channel_pairs_s8.h"
#include "common/nibble_common.h"

enum {
  NIBBLE_DEPTHWISE_IN_ZERO,  /* in all four bytes */
  NIBBLE_DEPTHWISE_PAD_WORD, /* what stands in the planes for padding */
  NIBBLE_DEPTHWISE_IN_C,
  NIBBLE_DEPTHWISE_IN_H,
  NIBBLE_DEPTHWISE_COLUMNS, /* of the source that windows reach */
  NIBBLE_DEPTHWISE_IN_ROW,  /* bytes */
  NIBBLE_DEPTHWISE_PAD_TOP,
  NIBBLE_DEPTHWISE_PAD_LEFT,
  NIBBLE_DEPTHWISE_OUT_W,
  NIBBLE_DEPTHWISE_OUT_C,
  NIBBLE_DEPTHWISE_PLANES_BYTES, /* of all planes */
  NIBBLE_DEPTHWISE_STREAM_BYTES, /* with the header */
  NIBBLE_DEPTHWISE_FIELDS
};

/* What the function's text says, not the stream. */
typedef struct {
  int32_t affine;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t multiplier; /* output channels per input channel */
  int32_t strip_rows; /* rows of outputs of a strip, at most */
  int32_t out_zero;
  int32_t act_min;
  int32_t act_max;
  int32_t rounding;
} nibble_depthwise_s8_pairs_args;

static inline int32_t nibble_depthwise_half(uint32_t word, int32_t high) {
  return (int16_t)(uint16_t)(word >> (16 * high));
}

static inline int32_t nibble_depthwise_in_words(const nibble_depthwise_s8_pairs_args* args) {
  return args->k_h <= 3 && args->k_w <= 3;
}

/* The weight of a tap in the record that starts (behind its plane) at `record`. */
static inline int32_t nibble_depthwise_weight(const nibble_depthwise_s8_pairs_args* args,
                                              const uint32_t* record, int32_t ky, int32_t kx) {
  if (!nibble_depthwise_in_words(args))
    return nibble_depthwise_half(record[3 + 2 * (ky / 2 * args->k_w + kx)], ky % 2);
  if (ky < 2) return nibble_depthwise_half(record[2 + kx], ky);
  return nibble_depthwise_half(record[kx < 2 ? 5 : 6], kx > 0);
}

static inline int32_t nibble_depthwise_record_words(const nibble_depthwise_s8_pairs_args* args) {
  if (nibble_depthwise_in_words(args)) return 7;
  return 3 + 2 * ((args->k_h + args->stride_h + 1) / 2) * args->k_w;
}

static inline int8_t nibble_depthwise_s8_pairs_output(const nibble_depthwise_s8_pairs_args* args,
                                                      const uint32_t* record, uint32_t sum) {
  int32_t acc = (int32_t)(record[0] + sum);
  uint32_t scale = record[1];
  uint32_t shift = record[nibble_depthwise_in_words(args) ? 6 : 2] & 0xffu;
  if (args->affine) {
    int64_t product = (int64_t)acc * (int32_t)scale;
    return (int8_t)nibble_clamp((int32_t)(product >> 48), -128, 127);
  }
  return nibble_pairs_output_s8(acc, scale, shift, args->rounding, args->out_zero, args->act_min,
                                args->act_max);
}

/* The rows [top, end) of one input channel of an image, as far as they exist, row behind row. */
static inline void nibble_depthwise_s8_pairs_plane(const uint32_t* header, const int8_t* src,
                                                   int32_t top, int32_t end, int8_t* plane) {
  int32_t columns = (int32_t)header[NIBBLE_DEPTHWISE_COLUMNS];
  if (end > (int32_t)header[NIBBLE_DEPTHWISE_IN_H]) end = (int32_t)header[NIBBLE_DEPTHWISE_IN_H];
  for (int32_t y = top < 0 ? 0 : top; y < end; ++y)
    for (int32_t x = 0; x < columns; ++x)
      plane[(y - top) * columns + x] = src[y * (int32_t)header[NIBBLE_DEPTHWISE_IN_ROW] +
                                           x * (int32_t)header[NIBBLE_DEPTHWISE_IN_C]];
}

/* One output channel of a row of outputs; `plane` holds its input channel from row `plane_top` on.
 */
static inline void nibble_depthwise_s8_pairs_row(const nibble_depthwise_s8_pairs_args* args,
                                                 const uint32_t* header, const uint32_t* record,
                                                 int32_t row, const int8_t* plane,
                                                 int32_t plane_top, int8_t* dst) {
  int32_t zero = (int8_t)(header[NIBBLE_DEPTHWISE_IN_ZERO] & 0xffu);
  int32_t in_h = (int32_t)header[NIBBLE_DEPTHWISE_IN_H];
  int32_t columns = (int32_t)header[NIBBLE_DEPTHWISE_COLUMNS];
  int32_t top = row * args->stride_h - (int32_t)header[NIBBLE_DEPTHWISE_PAD_TOP];
  int32_t left = -(int32_t)header[NIBBLE_DEPTHWISE_PAD_LEFT];
  for (int32_t ox = 0; ox < (int32_t)header[NIBBLE_DEPTHWISE_OUT_W]; ++ox) {
    uint32_t sum = 0;
    for (int32_t ky = 0; ky < args->k_h; ++ky)
      for (int32_t kx = 0; kx < args->k_w; ++kx) {
        int32_t y = top + ky, x = left + kx;
        int32_t inside = y >= 0 && y < in_h && x >= 0 && x < columns;
        int32_t elem = inside ? plane[(y - plane_top) * columns + x] : zero;
        elem = args->affine ? elem * 256 : elem - zero;
        sum += (uint32_t)(elem * nibble_depthwise_weight(args, record, ky, kx));
      }
    *dst = nibble_depthwise_s8_pairs_output(args, record, sum);
    left += args->stride_w;
    dst += header[NIBBLE_DEPTHWISE_OUT_C];
  }
}

/* Strip by strip, and channel by channel in it: as the assembly, a channel's rows are read before
   its outputs are written. scratch holds the rows of a strip's windows. */
static inline void nibble_depthwise_s8_pairs(const nibble_depthwise_s8_pairs_args* args,
                                             const int8_t* src, int8_t* dst, int8_t* scratch,
                                             const uint32_t* stream, int32_t first_row,
                                             int32_t end_row) {
  const uint32_t* header = stream;
  int32_t out_c = (int32_t)header[NIBBLE_DEPTHWISE_OUT_C];
  int32_t out_row = (int32_t)header[NIBBLE_DEPTHWISE_OUT_W] * out_c;
  int32_t rows = 0;
  for (int32_t first = first_row; first < end_row; first += rows) {
    const uint32_t* group = header + NIBBLE_DEPTHWISE_FIELDS;
    int32_t top = first * args->stride_h - (int32_t)header[NIBBLE_DEPTHWISE_PAD_TOP];
    rows = end_row - first < args->strip_rows ? end_row - first : args->strip_rows;
    rows = rows < 2 ? 1 : rows / 2 * 2;
    for (int32_t channel = 0; channel < out_c;) {
      const uint32_t* record = group + 2;
      group = record + group[1] / 4u;
      while (record != group) {
        if (args->multiplier > 1) ++record;
        nibble_depthwise_s8_pairs_plane(header, src + channel / args->multiplier, top,
                                        top + (rows - 1) * args->stride_h + args->k_h, scratch);
        for (int32_t row = first; row < first + rows; ++row)
          nibble_depthwise_s8_pairs_row(args, header, record, row, scratch, top,
                                        dst + row * out_row + channel);
        record += nibble_depthwise_record_words(args);
        ++channel;
      }
    }
  }
}

#endif
