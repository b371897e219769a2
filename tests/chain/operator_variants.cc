// The variants: windows with and without padding, strides, dilation, groups, constants on either
// side, broadcasting, activations that clamp and such that do not.
#include "chain/operator_variants.h"

namespace nibble {
namespace {

Window window(int64_t stride, int64_t dilation, int64_t top, int64_t left, int64_t bottom,
              int64_t right) {
  return {stride, stride, dilation, dilation, top, left, bottom, right};
}

constexpr Bounds kRelu6{0, 6};

void conv2d(Variants& v) {
  v.output(Conv2d{window(1, 1, 1, 1, 1, 1), 1, kRelu6},
           {v.x(), v.weights({7, 3, 3, 4}, 0), v.bias(7)});
  v.output(Conv2d{window(2, 1, 0, 0, 1, 1), 1, {}}, {v.x(), v.weights({3, 3, 2, 4}, -1), kNoValue});
  v.output(Conv2d{window(1, 2, 2, 1, 2, 1), 2, {}}, {v.x(), v.weights({4, 2, 2, 2}, 0), v.bias(4)});
  v.output(Conv2d{window(1, 1, 0, 0, 0, 0), 1, {}}, {v.x(), v.weights({5, 1, 1, 4}, 0), v.bias(5)});
}
void depthwise_conv2d(Variants& v) {
  v.output(DepthwiseConv2d{window(1, 1, 1, 1, 1, 1), kRelu6},
           {v.x(), v.weights({1, 3, 3, 4}, 3), v.bias(4)});
  v.output(DepthwiseConv2d{window(2, 1, 0, 1, 1, 0), {}},
           {v.x(), v.weights({1, 3, 3, 8}, 3), kNoValue});
  v.output(DepthwiseConv2d{window(1, 2, 1, 2, 1, 2), {}},
           {v.x(), v.weights({1, 2, 3, 4}, -1), v.bias(4)});
}
void dense(Variants& v) {
  v.output(Dense{kRelu6}, {v.x(), v.weights({3, 4}, 0), v.bias(3)});
  ValueId flat = v.add(Reshape{{1, 120}}, {v.x()});
  v.output(Dense{}, {flat, v.weights({9, 120}, -1), kNoValue});
}
template <class T>
void binary(Variants& v) {
  v.output(T{}, {v.x(), v.second()});
  v.output(T{kRelu6}, {v.x(), v.x()});
  v.output(T{}, {v.x(), v.constant({4})});
  v.output(T{}, {v.constant({1, 6, 5, 4}), v.x()});
  v.output(T{}, {v.constant({1, 1, 1, 1}), v.x()});
  v.output(T{}, {v.x(), v.second({1, 6, 1, 4})});
  v.output(T{}, {v.second({1, 1, 5, 1}), v.x()});
}
void max_pool2d(Variants& v) {
  v.output(MaxPool2d{2, 2, window(2, 1, 0, 0, 0, 0), {}}, {v.x()});
  v.output(MaxPool2d{3, 2, window(1, 1, 1, 1, 1, 0), kRelu6}, {v.x()});
}
void avg_pool2d(Variants& v) {
  v.output(AvgPool2d{2, 3, window(1, 1, 0, 0, 0, 0), false, {}}, {v.x()});
  v.output(AvgPool2d{3, 3, window(2, 1, 1, 1, 1, 1), false, kRelu6}, {v.x()});
  v.output(AvgPool2d{3, 3, window(1, 1, 1, 1, 1, 1), true, {}}, {v.x()});
  v.output(AvgPool2d{6, 5, window(1, 1, 0, 0, 0, 0), false, {}}, {v.x()});
}
void mean(Variants& v) {
  v.output(Mean{{1, 2}, true}, {v.x()});
  v.output(Mean{{1, 2}, false}, {v.x()}, 0.05f, -9);
  v.output(Mean{{3}, false}, {v.x()});
  v.output(Mean{{1}, true}, {v.x()});
}
void pad(Variants& v) {
  v.output(Pad{{0, 1, 2, 0}, {0, 2, 0, 0}, 0}, {v.x()});
  v.output(Pad{{0, 0, 0, 1}, {0, 1, 0, 2}, -1.5f}, {v.x()});
}
void concat(Variants& v) {
  ValueId other = v.add(Clamp{kRelu6}, {v.x()}, 0.05f, -9);
  v.graph().outputs.push_back({v.add(Concat{3}, {v.x(), other}, 0.05f, -9), {}});
  v.output(Concat{1}, {v.x(), v.second(), other});
  v.output(Concat{2}, {v.x(), v.x()});
}
void reshape(Variants& v) {
  ValueId flat = v.add(Reshape{{1, 120}}, {v.x()});
  v.output(Reshape{{1, 10, 12}}, {flat});
  v.output(Clamp{kRelu6}, {flat});
  v.graph().outputs.push_back({flat, {}});
}
void transpose(Variants& v) {
  v.output(Transpose{{0, 3, 1, 2}}, {v.x()});
  v.output(Transpose{{3, 2, 0, 1}}, {v.x()});
}
void slice(Variants& v) {
  v.output(Slice{{0, 1, 0, 1}, {1, 4, 5, 2}, {1, 1, 1, 1}}, {v.x()});
  v.output(Slice{{0, 5, 0, 0}, {1, 3, 3, 4}, {1, -2, 2, 1}}, {v.x()});
}
void resize_nearest(Variants& v) {
  v.output(ResizeNearest{12, 10, false, false}, {v.x()});
  v.output(ResizeNearest{4, 7, false, false}, {v.x()});
  v.output(ResizeNearest{12, 9, true, false}, {v.x()});
}
void softmax(Variants& v) {
  v.output(Softmax{}, {v.x()});
  v.output(Softmax{0.5f}, {v.add(Reshape{{1, 120}}, {v.x()})});
}
void quantize(Variants& v) {
  v.output(Quantize{}, {v.x()});
  v.output(Quantize{}, {v.x()}, 0.01f, -128);
  v.output(Quantize{}, {v.real({1, 3, 7})}, 0.02f, 5);
  if (v.dtype() != DType::kS16) return;
  // Between widths, there and back.
  auto between = [&](ValueId src, DType dtype, QuantParams params) {
    auto id = append_node(v.graph(), Quantize{}, "between", {src}, params, dtype);
    EXPECT_TRUE(id.ok());
    v.graph().outputs.push_back({*id, {}});
    return *id;
  };
  ValueId narrow = between(v.x(), DType::kS8, {{0.05f}, {-9}, -1, 8, -128, 127});
  between(narrow, DType::kS16, v.quant(0.04f, 0));
  ValueId wide = between(v.x(), DType::kS32, {{1e-6f}, {0}, -1, 32, INT32_MIN, INT32_MAX});
  between(wide, DType::kS16, v.quant(0.06f, 0));
}
void dequantize(Variants& v) { v.output(Dequantize{}, {v.x()}); }
template <class T>
void unary(Variants& v) {
  v.output(T{}, {v.x()});
}
void clamp(Variants& v) {
  v.output(Clamp{kRelu6}, {v.x()});
  v.output(Clamp{{-1, 1}}, {v.x()}, 0.05f, -9);
}

}  // namespace

const std::vector<std::string>& wide_operators() {
  static const std::vector<std::string> names = {
      "conv2d", "depthwise_conv2d", "dense",      "add",      "sub",
      "mul",    "max_pool2d",       "avg_pool2d", "mean",     "pad",
      "concat", "reshape",          "transpose",  "slice",    "resize_nearest",
      "clamp",  "leaky_relu",       "softmax",    "quantize", "dequantize"};
  return names;
}

const std::map<std::string, std::function<void(Variants&)>>& all_variants() {
  static const std::map<std::string, std::function<void(Variants&)>> table = {
      {"conv2d", conv2d},
      {"depthwise_conv2d", depthwise_conv2d},
      {"dense", dense},
      {"add", binary<Add>},
      {"sub", binary<Sub>},
      {"mul", binary<Mul>},
      {"max_pool2d", max_pool2d},
      {"avg_pool2d", avg_pool2d},
      {"mean", mean},
      {"pad", pad},
      {"concat", concat},
      {"reshape", reshape},
      {"transpose", transpose},
      {"slice", slice},
      {"resize_nearest", resize_nearest},
      {"clamp", clamp},
      {"leaky_relu", unary<LeakyRelu>},
      {"sigmoid", unary<Sigmoid>},
      {"tanh", unary<Tanh>},
      {"hard_swish", unary<HardSwish>},
      {"hard_sigmoid", unary<HardSigmoid>},
      {"softmax", softmax},
      {"quantize", quantize},
      {"dequantize", dequantize},
  };
  return table;
}

}  // namespace nibble
