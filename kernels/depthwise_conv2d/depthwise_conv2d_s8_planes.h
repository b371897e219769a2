/* depthwise_conv2d_s8 channel by channel, on cores without SIMD: the part of a channel that some
   rows of outputs need is spread out as words, padding included, so that neighbouring outputs read
   neighbouring words; a function of the target's then computes lines of outputs of that channel,
   several at once.

   A line runs along the rows of dst, or along its columns (`by_columns`, where rows are short):
   below, "along" and "across" are the axes in this sense. With a stride along, the words of a line
   lie by their remainder modulo the stride.

   The stream holds for each output channel its weights as bytes (across outermost; padded to a
   multiple of four), its start value and its rescaling (rescale_s8.h). Then the distances between
   the words of successive taps, in bytes, as the function adds them: from the word after the last
   that it read for the tap before. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PLANES_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_S8_PLANES_H

#include "common/nibble_common.h"
#include "common/rescale_s8.h"

typedef struct {
  int32_t batches;
  int32_t in_c;
  int32_t multiplier; /* output channels of each input channel */
  int32_t tile_rows;  /* rows of dst computed together */
  int32_t by_columns;
  int32_t in_h;
  int32_t in_w;
  int32_t out_h;
  int32_t out_w;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
  int32_t in_zero;
  int32_t line_words;  /* of a plane's line, at most */
  int32_t plane_words; /* the taps follow */
} nibble_depthwise_planes_shape;

/* A line of outputs of one channel; dst_step and x_step are in bytes. The function may change it.
 */
typedef struct {
  const int32_t* x; /* of the first output's first tap, but for the first distance */
  int8_t* dst;
  int32_t dst_step;
  int32_t count;           /* > 0 */
  const int32_t* taps;     /* for each its weight and the distance to its word */
  const uint32_t* rescale; /* start value, words of the form */
} nibble_depthwise_line;
typedef void (*nibble_depthwise_lines)(nibble_depthwise_line* line);

typedef struct {
  nibble_depthwise_lines lines;
  int32_t outputs;       /* at once */
  int32_t rescale_words; /* of a channel */
} nibble_depthwise_core;

/* A line in plain C; what the function adds between two taps includes `outputs` words that it read.
 */
static inline void nibble_depthwise_line_c(nibble_depthwise_line* line, int32_t taps,
                                           int32_t outputs, const nibble_rescale_s8* rescale) {
  for (int32_t i = 0; i < line->count; ++i) {
    int32_t acc = (int32_t)line->rescale[0];
    int32_t at = i;
    for (int32_t tap = 0; tap < taps; ++tap) {
      at += line->taps[2 * tap + 1] / 4;
      acc += line->taps[2 * tap] * line->x[at];
      at += outputs;
    }
    line->dst[i * line->dst_step] = nibble_rescaled_s8(rescale, line->rescale + 1, acc);
  }
}

/* `count` elements of a line of the source from index `from` on, which may lie outside [0, extent),
   to words: element i at (i % stride) * phase_words + i / stride. */
NIBBLE_LOOP void nibble_depthwise_spread(const int8_t* src, int32_t step, int32_t from,
                                         int32_t extent, int32_t count, int32_t zero,
                                         int32_t stride, int32_t phase_words, int32_t* words) {
  for (int32_t phase = 0; phase < stride; ++phase, ++from, --count, words += phase_words) {
    int32_t* to = words;
    const int8_t* at = src + from * step;
    int32_t i = from, end = from + count, jump = step * stride;
    int32_t inside = end < extent ? end : extent;
    for (; i < end && i < 0; i += stride, at += jump) *to++ = zero;
    for (; i < inside - 3 * stride; i += 4 * stride, to += 4) {
      to[0] = *at;
      at += jump;
      to[1] = *at;
      at += jump;
      to[2] = *at;
      at += jump;
      to[3] = *at;
      at += jump;
    }
    for (; i < inside; i += stride, at += jump) *to++ = *at;
    for (; i < end; i += stride) *to++ = zero;
  }
}

typedef struct {
  int32_t in, out, k, stride, dilation, pad, src_step, dst_step;
} nibble_depthwise_axis;

/* The rows [first, end) of dst. */
NIBBLE_LOOP void nibble_depthwise_planes(const nibble_depthwise_planes_shape* shape,
                                         const nibble_depthwise_core* core, const int8_t* src,
                                         int8_t* dst, int32_t* scratch, const uint32_t* stream,
                                         int32_t first_row, int32_t end_row) {
  int32_t out_c = shape->in_c * shape->multiplier, taps = shape->k_h * shape->k_w;
  int32_t weight_words = (taps + 3) / 4;
  int32_t channel_words = weight_words + 1 + core->rescale_words;
  int32_t* list = scratch + shape->plane_words;
  nibble_depthwise_axis rows = {shape->in_h,
                                shape->out_h,
                                shape->k_h,
                                shape->stride_h,
                                shape->dilation_h,
                                shape->pad_top,
                                shape->in_w * shape->in_c,
                                shape->out_w * out_c};
  nibble_depthwise_axis columns = {shape->in_w,       shape->out_w,    shape->k_w,  shape->stride_w,
                                   shape->dilation_w, shape->pad_left, shape->in_c, out_c};
  const int32_t* distances = (const int32_t*)(const void*)(stream + channel_words * out_c);
  for (int32_t tap = 0; tap < taps; ++tap) list[2 * tap + 1] = distances[tap];
  for (int32_t n = 0; n < shape->batches; ++n) {
    for (int32_t row = first_row; row < end_row; row += shape->tile_rows) {
      int32_t count = end_row - row < shape->tile_rows ? end_row - row : shape->tile_rows;
      const uint32_t* channel = stream;
      nibble_depthwise_axis along = columns, across = rows;
      int32_t along_first = 0, across_first = row, along_count = shape->out_w, lines = count;
      if (shape->by_columns) {
        along = rows;
        across = columns;
        along_first = row;
        across_first = 0;
        along_count = count;
        lines = shape->out_w;
      }
      int32_t words = (along_count - 1) * along.stride + (along.k - 1) * along.dilation + 1;
      int32_t from = along_first * along.stride - along.pad;
      int32_t plane_lines = (lines - 1) * across.stride + (across.k - 1) * across.dilation + 1;
      int32_t line_from = across_first * across.stride - across.pad;
      int32_t phase_words = shape->line_words / along.stride;
      for (int32_t c = 0; c < shape->in_c; ++c) {
        for (int32_t i = 0; i < plane_lines; ++i) {
          int32_t at = line_from + i;
          int32_t inside = at >= 0 && at < across.in;
          nibble_depthwise_spread(src + c + (inside ? at * across.src_step : 0), along.src_step,
                                  from, inside ? along.in : 0, words, shape->in_zero, along.stride,
                                  phase_words, scratch + i * shape->line_words);
        }
        for (int32_t m = 0; m < shape->multiplier; ++m, channel += channel_words) {
          const int8_t* weights = (const int8_t*)channel;
          int8_t* to = dst + c * shape->multiplier + m + along_first * along.dst_step +
                       across_first * across.dst_step;
          nibble_depthwise_line line;
          for (int32_t tap = 0; tap < taps; ++tap) list[2 * tap] = weights[tap];
          line.taps = list;
          line.rescale = channel + weight_words;
          for (int32_t i = 0; i < lines; ++i, to += across.dst_step) {
            line.x = scratch + i * across.stride * shape->line_words;
            line.dst = to;
            line.dst_step = along.dst_step;
            line.count = along_count;
            core->lines(&line);
          }
        }
      }
    }
    src += shape->in_h * shape->in_w * shape->in_c;
    dst += shape->out_h * shape->out_w * out_c;
  }
}

#endif
