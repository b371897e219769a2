/* conv2d_s16s8 in portable C: for each pixel the taps inside the image are found once; they are
   read as runs of contiguous channels, for four output channels at a time. */
#include "common/dot_s16.h"
#include "common/output_s16.h"
#include "common/window.h"
#include "conv2d/conv2d_s16s8.h"

/* The taps of one pixel that lie inside the image: `rows` rows of `runs` runs of `run_len`
 * elements. */
typedef struct {
  const int16_t* src;   /* first element of the first tap inside */
  int32_t filter_start; /* its place in a channel's filter */
  int32_t rows;
  int32_t runs;
  int32_t run_len;
} nibble_conv2d_s16s8_taps;

/* acc of `lanes` (4 or 1) channels whose filters start at `filter`; `offset` is the group's first
 * channel. */
static void nibble_conv2d_s16s8_accumulate(const nibble_conv2d_s16s8_args* args,
                                           const nibble_conv2d_s16s8_taps* taps, int32_t offset,
                                           const int8_t* filter, int32_t group_in, int32_t lanes,
                                           int64_t* acc) {
  int32_t filter_row = args->k_w * group_in;
  int32_t filter_stride = args->k_h * filter_row;
  int32_t src_row = args->dilation_h * args->in_w * args->in_c;
  int32_t src_run = args->dilation_w * args->in_c;
  const int16_t* row = taps->src + offset;
  filter += taps->filter_start;
  for (int32_t y = taps->rows; y > 0; --y) {
    const int16_t* src = row;
    const int8_t* run = filter;
    for (int32_t x = taps->runs; x > 0; --x) {
      if (lanes == 4)
        nibble_dot_s16_x4(src, run, filter_stride, taps->run_len, acc);
      else
        nibble_dot_s16_x1(src, run, taps->run_len, acc);
      src += src_run;
      run += group_in;
    }
    row += src_row;
    filter += filter_row;
  }
}

/* All output channels of one pixel. Returns the end of what was written. */
static int16_t* nibble_conv2d_s16s8_pixel(const nibble_conv2d_s16s8_args* args,
                                          const nibble_conv2d_s16s8_taps* taps, int32_t group_in,
                                          int16_t* dst) {
  int32_t group_out = args->out_c / args->groups;
  int32_t filter_stride = args->k_h * args->k_w * group_in;
  const int8_t* filter = args->filter;
  int32_t first = 0;
  for (int32_t offset = 0; offset < args->in_c; offset += group_in) {
    int32_t end = first + group_out;
    while (first < end) {
      int64_t acc[4] = {0, 0, 0, 0};
      int32_t lanes = end - first >= 4 ? 4 : 1;
      for (int32_t lane = 0; lane < lanes && args->bias; ++lane)
        acc[lane] = args->bias[first + lane];
      nibble_conv2d_s16s8_accumulate(args, taps, offset, filter, group_in, lanes, acc);
      for (int32_t lane = 0; lane < lanes; ++lane)
        *dst++ = nibble_output_s16(acc[lane], args->multiplier[first + lane],
                                   args->exponent[first + lane], args->rounding, args->act_min,
                                   args->act_max);
      filter += lanes * filter_stride;
      first += lanes;
    }
  }
  return dst;
}

NIBBLE_API void nibble_conv2d_s16s8_ref(const nibble_conv2d_s16s8_args* args, const int16_t* src,
                                        int16_t* dst) {
  int32_t group_in = args->in_c / args->groups;
  /* Neighbouring taps of a row are contiguous, so that the whole row is one run. */
  int32_t joined = args->groups == 1 && args->dilation_w == 1;
  for (int32_t n = 0; n < args->batches; ++n) {
    int32_t y = -args->pad_top;
    for (int32_t oy = 0; oy < args->out_h; ++oy, y += args->stride_h) {
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      int32_t rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      int32_t x = -args->pad_left;
      for (int32_t ox = 0; ox < args->out_w; ++ox, x += args->stride_w) {
        nibble_conv2d_s16s8_taps taps;
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        int32_t columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        int32_t inside = rows > 0 && columns > 0;
        taps.rows = inside ? rows : 0;
        taps.runs = joined ? 1 : columns;
        taps.run_len = joined ? columns * group_in : group_in;
        taps.filter_start = inside ? (ky * args->k_w + kx) * group_in : 0;
        taps.src =
            inside ? src + ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) *
                               args->in_c
                   : src;
        dst = nibble_conv2d_s16s8_pixel(args, &taps, group_in, dst);
      }
    }
    src += args->in_h * args->in_w * args->in_c;
  }
}
