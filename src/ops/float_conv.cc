// Plain loops, and the choice between them and oneDNN.
#include "ops/float_conv.h"

#include <algorithm>

#include "ops/onednn_conv.h"
#include "ops/window.h"

namespace nibble {
namespace {

// Below this the plain loop is done before a primitive would have started.
constexpr int64_t kLargeMacs = 50'000;

// One output pixel: every channel of dst_pixel.
void plain_pixel(const FloatConv& conv, const float* image, const float* filter, const float* bias,
                 int64_t oy, int64_t ox, float* dst_pixel) {
  const Window& window = conv.window;
  int64_t origin_y = oy * window.stride_h - window.pad_top;
  int64_t origin_x = ox * window.stride_w - window.pad_left;
  TapRange rows = taps_inside(origin_y, conv.in_h, conv.k_h, window.dilation_h);
  TapRange columns = taps_inside(origin_x, conv.in_w, conv.k_w, window.dilation_w);
  int64_t group_in = conv.in_c / conv.groups;
  int64_t group_out = conv.out_c / conv.groups;
  for (int64_t oc = 0; oc < conv.out_c; ++oc) {
    int64_t group = oc / group_out;
    const float* taps =
        filter + group * conv.filter_group + (oc - group * group_out) * conv.filter_out;
    float acc = bias ? bias[oc] : 0.0f;
    for (int64_t ky = rows.first; ky < rows.end; ++ky)
      for (int64_t kx = columns.first; kx < columns.end; ++kx) {
        const float* src =
            image +
            ((origin_y + ky * window.dilation_h) * conv.in_w + origin_x + kx * window.dilation_w) *
                conv.in_c +
            group * group_in;
        const float* tap = taps + ky * conv.filter_y + kx * conv.filter_x;
        for (int64_t ic = 0; ic < group_in; ++ic) acc += src[ic] * tap[ic * conv.filter_in];
      }
    dst_pixel[oc] = acc;
  }
}

}  // namespace

void apply_bounds(const Bounds& act, std::span<float> elems) {
  if (act.none()) return;
  for (float& elem : elems) elem = std::min(std::max(elem, act.min), act.max);
}

void run_float_conv_plain(const FloatConv& conv, const float* src, const float* filter,
                          const float* bias, float* dst) {
  int64_t image_elems = conv.in_h * conv.in_w * conv.in_c;
  float* pixel = dst;
  for (int64_t n = 0; n < conv.batches; ++n)
    for (int64_t oy = 0; oy < conv.out_h; ++oy)
      for (int64_t ox = 0; ox < conv.out_w; ++ox) {
        plain_pixel(conv, src + n * image_elems, filter, bias, oy, ox, pixel);
        pixel += conv.out_c;
      }
  apply_bounds(conv.act, {dst, static_cast<size_t>(pixel - dst)});
}

void run_float_conv(const FloatConv& conv, Inputs in, Tensor& out) {
  const float* src = in[0]->data<float>().data();
  const float* filter = in[1]->data<float>().data();
  const float* bias = in.size() > 2 && in[2] ? in[2]->data<float>().data() : nullptr;
  auto dst = out.mutable_data<float>();
  if (conv.macs() >= kLargeMacs && run_onednn_conv(conv, src, filter, bias, dst.data()))
    apply_bounds(conv.act, dst);
  else
    run_float_conv_plain(conv, src, filter, bias, dst.data());
}

}  // namespace nibble
