#include "lower/conv_shape.h"

namespace nibble {

ConvShape conv_shape(const LayerView& layer) {
  auto get = [&](const char* name) { return layer.int_field(name); };
  ConvShape conv;
  conv.batches = get("batches"), conv.in_h = get("in_h"), conv.in_w = get("in_w");
  conv.in_c = get("in_c"), conv.out_h = get("out_h"), conv.out_w = get("out_w");
  conv.k_h = get("k_h"), conv.k_w = get("k_w");
  conv.stride_h = get("stride_h"), conv.stride_w = get("stride_w");
  conv.dilation_h = get("dilation_h"), conv.dilation_w = get("dilation_w");
  conv.pad_top = get("pad_top"), conv.pad_left = get("pad_left"), conv.in_zero = get("in_zero");
  return conv;
}

}  // namespace nibble
