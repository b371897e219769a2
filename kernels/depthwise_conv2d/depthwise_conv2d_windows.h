/* A depthwise convolution of s8 or s16 whose windows are read in place: pixel by pixel of dst, a
   few neighbouring ones at once (a block), around a kernel of the target's. Where a block reaches
   over the border, the part of the image below it is copied first, what lies outside being zeros.
   In narrow images, in which every block would, the lines below a row of dst are copied instead,
   each of them once (`strips`). One function serves all shapes that a kernel does, so these are
   numbers. */
#ifndef NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_WINDOWS_H
#define NIBBLE_DEPTHWISE_CONV2D_DEPTHWISE_CONV2D_WINDOWS_H

#include "common/window_s16.h"

typedef struct {
  int32_t batches;
  int32_t in_h;
  int32_t in_w;
  int32_t out_h;
  int32_t out_w;
  int32_t k_h;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t pad_top;
  int32_t pad_left;
  int32_t pixel_bytes; /* in_c elements */
  int32_t in_zero;     /* 0 for s16 */
  int32_t pixels;      /* of a block; out_w or less */
  int32_t columns;     /* of the image below it; with strips, below a row of dst */
  int32_t strips;      /* dilation_h is 1 then, and stride_h k_h or less */
  int32_t stream_words;
} nibble_depthwise_windows_shape;

/* src: the block's first tap; its kernel rows are row_bytes apart. */
typedef void (*nibble_depthwise_windows_kernel)(const int8_t* src, const uint32_t* stream,
                                                int8_t* dst, int32_t row_bytes,
                                                const uint32_t* stream_end, int32_t pixel_bytes);

#if (defined(__riscv) && !defined(__riscv_v)) || (defined(__thumb__) && !defined(__thumb2__))
NIBBLE_LOOP void nibble_depthwise_copy(int8_t* to, const int8_t* from, int32_t len) {
  if ((((uintptr_t)to | (uintptr_t)from | (uintptr_t)len) & 1) == 0)
    nibble_copy_s16((int16_t*)(void*)to, (const int16_t*)(const void*)from, len / 2);
  else
    nibble_copy_s8(to, from, len);
}
#else
static inline void nibble_depthwise_copy(int8_t* to, const int8_t* from, int32_t len) {
  nibble_copy_s8(to, from, len);
}
#endif

/* `columns` pixels of line y of the image from column x on. */
NIBBLE_LOOP void nibble_depthwise_line_of(const nibble_depthwise_windows_shape* shape,
                                          const int8_t* src, int32_t y, int32_t x, int8_t* to) {
  int32_t columns = shape->columns, bytes = shape->pixel_bytes;
  int32_t first = x < 0 ? -x : 0, end = shape->in_w - x < columns ? shape->in_w - x : columns;
  if (y < 0 || y >= shape->in_h || first >= end) first = end = columns;
  if (first > 0) nibble_fill_s8(to, shape->in_zero, first * bytes);
  if (first < end)
    nibble_depthwise_copy(to + first * bytes, src + (y * shape->in_w + x + first) * bytes,
                          (end - first) * bytes);
  if (end < columns) nibble_fill_s8(to + end * bytes, shape->in_zero, (columns - end) * bytes);
}

/* The rows [first_row, end_row) of dst. The last block of a row starts so early that it is whole.
   With strips all lines below a row of dst are read before that is written. scratch: what is copied
   of the image, [k_h][columns][pixel_bytes]. */
NIBBLE_LOOP void nibble_depthwise_windows(const nibble_depthwise_windows_shape* shape,
                                          nibble_depthwise_windows_kernel kernel, const int8_t* src,
                                          int8_t* dst, int8_t* scratch, const uint32_t* stream,
                                          int32_t first_row, int32_t end_row) {
  const uint32_t* end = stream + shape->stream_words;
  int32_t bytes = shape->pixel_bytes, columns = shape->columns, pixels = shape->pixels;
  int32_t row_bytes = shape->dilation_h * shape->in_w * bytes, line_bytes = columns * bytes;
  for (int32_t n = 0; n < shape->batches; ++n) {
    for (int32_t oy = first_row; oy < end_row; ++oy) {
      int32_t y = oy * shape->stride_h - shape->pad_top;
      int32_t inside = y >= 0 && y + (shape->k_h - 1) * shape->dilation_h < shape->in_h;
      if (shape->strips) {
        int32_t kept = oy > first_row ? shape->k_h - shape->stride_h : 0;
        for (int32_t ky = 0; ky < shape->k_h; ++ky)
          if (ky < kept)
            nibble_depthwise_copy(scratch + ky * line_bytes,
                                  scratch + (ky + shape->stride_h) * line_bytes, line_bytes);
          else
            nibble_depthwise_line_of(shape, src, y + ky, -shape->pad_left,
                                     scratch + ky * line_bytes);
      }
      for (int32_t ox = 0; ox < shape->out_w; ox += pixels) {
        int32_t at = ox + pixels <= shape->out_w ? ox : shape->out_w - pixels;
        int32_t x = at * shape->stride_w - shape->pad_left, step = line_bytes;
        const int8_t* from = scratch;
        if (shape->strips) {
          from += (x + shape->pad_left) * bytes;
        } else if (inside && x >= 0 && x + columns <= shape->in_w) {
          from = src + (y * shape->in_w + x) * bytes;
          step = row_bytes;
        } else {
          for (int32_t ky = 0; ky < shape->k_h; ++ky)
            nibble_depthwise_line_of(shape, src, y + ky * shape->dilation_h, x,
                                     scratch + ky * line_bytes);
        }
        kernel(from, stream, dst + (oy * shape->out_w + at) * bytes, step, end, bytes);
      }
    }
    src += shape->in_h * shape->in_w * bytes;
    dst += shape->out_h * shape->out_w * bytes;
  }
}

#endif
