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

ConvLayer conv2d_layer(const LayerView& layer) {
  ConvLayer conv;
  conv.op = "conv2d";
  conv.conv = conv_shape(layer);
  conv.conv.out_c = layer.int_field("out_c");
  conv.bias = layer.s32("bias");
  conv.weight = [shape = conv.conv, filter = layer.s8("filter")](int out, int tap, int in) {
    return filter[static_cast<size_t>((out * shape.taps() + tap) * shape.in_c + in)];
  };
  return conv;
}

ConvLayer dense_layer(const LayerView& layer) {
  ConvLayer dense;
  dense.op = "dense";
  dense.conv.in_w = dense.conv.out_w = layer.int_field("rows");
  dense.conv.in_c = layer.int_field("in_len");
  dense.conv.out_c = layer.int_field("out_len");
  dense.conv.in_zero = layer.int_field("in_zero");
  dense.bias = layer.s32("bias");
  dense.weight = [in_c = dense.conv.in_c, filter = layer.s8("filter")](int out, int, int in) {
    return filter[static_cast<size_t>(out * in_c + in)];
  };
  dense.takes_rows = false;
  return dense;
}

}  // namespace nibble
