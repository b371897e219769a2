/* depthwise_conv2d_s16s8 in portable C: for each pixel the taps inside the image are found once;
   four channels go through them together where every channel has one filter. */
#include "common/dot_s16.h"
#include "common/output_s16.h"
#include "common/window.h"
#include "depthwise_conv2d/depthwise_conv2d_s16s8.h"

/* The taps of one pixel that lie inside the image, and the distances between them. */
typedef struct {
  const int16_t* src;
  const int8_t* filter;
  int32_t rows;
  int32_t columns;
  int32_t src_column;
  int32_t filter_column;
  int32_t src_row; /* from behind a row's last tap to the next row */
  int32_t filter_row;
} nibble_depthwise_conv2d_s16s8_taps;

/* Windows of up to NIBBLE_DOT_S16_RUN taps, whose sums stay below 2^31. */
NIBBLE_LOOP void nibble_depthwise_conv2d_s16s8_x4(const nibble_depthwise_conv2d_s16s8_taps* taps,
                                                  int32_t channel, int64_t* acc) {
  const int16_t* src = taps->src + channel;
  const int8_t* filter = taps->filter + channel;
  int32_t src_column = taps->src_column, filter_column = taps->filter_column;
  int32_t acc_0 = 0, acc_1 = 0, acc_2 = 0, acc_3 = 0;
  for (int32_t y = taps->rows; y > 0; --y) {
    for (int32_t x = taps->columns; x > 0; --x) {
      acc_0 += src[0] * filter[0];
      acc_1 += src[1] * filter[1];
      acc_2 += src[2] * filter[2];
      acc_3 += src[3] * filter[3];
      src += src_column;
      filter += filter_column;
    }
    src += taps->src_row;
    filter += taps->filter_row;
  }
  acc[0] += acc_0;
  acc[1] += acc_1;
  acc[2] += acc_2;
  acc[3] += acc_3;
}

NIBBLE_LOOP void nibble_depthwise_conv2d_s16s8_x1(const nibble_depthwise_conv2d_s16s8_taps* taps,
                                                  int32_t in_channel, int32_t out_channel,
                                                  int64_t* acc) {
  const int16_t* src = taps->src + in_channel;
  const int8_t* filter = taps->filter + out_channel;
  int64_t sum = *acc;
  for (int32_t y = taps->rows; y > 0; --y) {
    for (int32_t x = taps->columns; x > 0; --x) {
      sum += *src * *filter;
      src += taps->src_column;
      filter += taps->filter_column;
    }
    src += taps->src_row;
    filter += taps->filter_row;
  }
  *acc = sum;
}

/* All output channels of one pixel. Returns the end of what was written. */
static int16_t* nibble_depthwise_conv2d_s16s8_pixel(const nibble_depthwise_conv2d_s16s8_args* args,
                                                    const nibble_depthwise_conv2d_s16s8_taps* taps,
                                                    int16_t* dst) {
  int32_t out_c = args->in_c * args->channel_multiplier;
  int32_t short_window = taps->rows * taps->columns <= NIBBLE_DOT_S16_RUN;
  int32_t in_channel = 0;
  int32_t left = args->channel_multiplier; /* filters of in_channel that are still to come */
  int32_t lanes = 0;
  for (int32_t out = 0; out < out_c; out += lanes) {
    int64_t acc[4] = {0, 0, 0, 0};
    lanes = short_window && args->channel_multiplier == 1 && out_c - out >= 4 ? 4 : 1;
    for (int32_t lane = 0; lane < lanes && args->bias; ++lane) acc[lane] = args->bias[out + lane];
    if (lanes == 4) {
      nibble_depthwise_conv2d_s16s8_x4(taps, out, acc);
      in_channel += 4;
    } else {
      nibble_depthwise_conv2d_s16s8_x1(taps, in_channel, out, acc);
      if (--left == 0) {
        left = args->channel_multiplier;
        ++in_channel;
      }
    }
    for (int32_t lane = 0; lane < lanes; ++lane)
      *dst++ =
          nibble_output_s16(acc[lane], args->multiplier[out + lane], args->exponent[out + lane],
                            args->rounding, args->act_min, args->act_max);
  }
  return dst;
}

NIBBLE_API void nibble_depthwise_conv2d_s16s8_ref(const nibble_depthwise_conv2d_s16s8_args* args,
                                                  const int16_t* src, int16_t* dst) {
  int32_t out_c = args->in_c * args->channel_multiplier;
  nibble_depthwise_conv2d_s16s8_taps taps;
  taps.src_column = args->dilation_w * args->in_c;
  taps.filter_column = out_c;
  for (int32_t n = 0; n < args->batches; ++n) {
    int32_t y = -args->pad_top;
    for (int32_t oy = 0; oy < args->out_h; ++oy, y += args->stride_h) {
      int32_t ky = nibble_first_tap(y, args->dilation_h);
      int32_t rows = nibble_end_tap(y, args->in_h, args->k_h, args->dilation_h) - ky;
      int32_t x = -args->pad_left;
      for (int32_t ox = 0; ox < args->out_w; ++ox, x += args->stride_w) {
        int32_t kx = nibble_first_tap(x, args->dilation_w);
        taps.columns = nibble_end_tap(x, args->in_w, args->k_w, args->dilation_w) - kx;
        taps.rows = taps.columns > 0 ? rows : 0;
        taps.src = src;
        taps.filter = args->filter;
        if (taps.rows > 0) {
          taps.src +=
              ((y + ky * args->dilation_h) * args->in_w + x + kx * args->dilation_w) * args->in_c;
          taps.filter += (ky * args->k_w + kx) * out_c;
        }
        taps.src_row = args->dilation_h * args->in_w * args->in_c - taps.columns * taps.src_column;
        taps.filter_row = (args->k_w - taps.columns) * out_c;
        dst = nibble_depthwise_conv2d_s16s8_pixel(args, &taps, dst);
      }
    }
    src += args->in_h * args->in_w * args->in_c;
  }
}
