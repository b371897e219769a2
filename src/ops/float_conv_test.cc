// The float convolution that large layers take (oneDNN where the build has it) against the plain
// loop.
#include "ops/float_conv.h"

#include "ops/onednn_conv.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

std::vector<float> random_floats(Rng& rng, int64_t count) {
  std::vector<float> elems(static_cast<size_t>(count));
  for (float& elem : elems) elem = static_cast<float>(rng.normal());
  return elems;
}

// Strides of an OHWI filter, or of [KH,KW,C*M] for depthwise layers.
void set_filter_strides(FloatConv& conv, bool depthwise) {
  int64_t group_in = conv.in_c / conv.groups, group_out = conv.out_c / conv.groups;
  conv.filter_x = depthwise ? conv.out_c : group_in;
  conv.filter_y = conv.k_w * conv.filter_x;
  conv.filter_out = depthwise ? 1 : conv.k_h * conv.filter_y;
  conv.filter_group = depthwise ? group_out : group_out * conv.filter_out;
}

FloatConv random_conv(Rng& rng, bool depthwise) {
  FloatConv conv;
  conv.batches = rng.integer(1, 2);
  conv.in_h = rng.integer(1, 12);
  conv.in_w = rng.integer(1, 12);
  conv.groups = depthwise ? random_channels(rng) : rng.integer(1, 3);
  conv.in_c = conv.groups * (depthwise ? 1 : random_channels(rng));
  conv.out_c = conv.groups * (depthwise ? rng.integer(1, 2) : random_channels(rng));
  conv.k_h = rng.integer(1, 5);
  conv.k_w = rng.integer(1, 5);
  conv.window = random_window(rng, conv.k_h, conv.k_w);
  const Window& window = conv.window;
  auto extent = [](int64_t in, int64_t k, int64_t stride, int64_t dilation, int64_t pads) {
    return (in + pads - (k - 1) * dilation - 1) / stride + 1;
  };
  conv.out_h = extent(conv.in_h, conv.k_h, window.stride_h, window.dilation_h,
                      window.pad_top + window.pad_bottom);
  conv.out_w = extent(conv.in_w, conv.k_w, window.stride_w, window.dilation_w,
                      window.pad_left + window.pad_right);
  set_filter_strides(conv, depthwise);
  return conv;
}

// Errors relative to the largest output: sums in another order cancel differently in small ones.
double relative_error(std::span<const float> got, std::span<const float> want) {
  double largest = 1e-30, error = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(want[i])));
    error = std::max(error, std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i])));
  }
  return error / largest;
}

TEST(FloatConv, LibraryEqualsTheLoop) {
  if (!has_onednn()) GTEST_SKIP() << "left out: this build has no oneDNN (libdnnl-dev)";
  Rng rng(3);
  int compared = 0;
  for (int i = 0; i < 1000 && compared < 200; ++i) {
    FloatConv conv = random_conv(rng, i % 3 == 0);
    const Window& window = conv.window;
    if ((conv.k_h - 1) * window.dilation_h >= conv.in_h + window.pad_top + window.pad_bottom ||
        (conv.k_w - 1) * window.dilation_w >= conv.in_w + window.pad_left + window.pad_right)
      continue;
    auto src = random_floats(rng, conv.batches * conv.in_h * conv.in_w * conv.in_c);
    auto filter = random_floats(rng, conv.out_c * conv.k_h * conv.k_w * conv.in_c / conv.groups);
    auto bias = random_floats(rng, conv.out_c);
    auto count = static_cast<size_t>(conv.batches * conv.out_h * conv.out_w * conv.out_c);
    std::vector<float> want(count), got(count);
    const float* bias_or_none = i % 4 ? bias.data() : nullptr;
    run_float_conv_plain(conv, src.data(), filter.data(), bias_or_none, want.data());
    if (!run_onednn_conv(conv, src.data(), filter.data(), bias_or_none, got.data())) continue;
    ++compared;
    EXPECT_LT(relative_error(got, want), 1e-5)
        << conv.in_h << "x" << conv.in_w << "x" << conv.in_c << " to " << conv.out_c << ", kernel "
        << conv.k_h << "x" << conv.k_w << ", groups " << conv.groups;
  }
  EXPECT_EQ(compared, 200);
}

// A layer above the threshold, through the operator and twice through an interpreter that keeps its
// primitive.
TEST(FloatConv, InterpreterKeepsThePrimitive) {
  Rng rng(4);
  Conv2d op{{}, 1, {0, INFINITY}};
  op.window.pad_top = op.window.pad_left = 1;
  auto layer = make_layer(op, {random_f32(rng, {1, 12, 12, 16}), random_f32(rng, {24, 3, 3, 16})},
                          std::nullopt, Rounding::kTflite, {false, true});
  ASSERT_TRUE(layer.ok()) << layer.error().message;
  Interpreter interpreter(layer->graph);
  for (int i = 0; i < 3; ++i) {
    layer->operands[0] = layer->inputs[0] = random_f32(rng, {1, 12, 12, 16});
    auto out = interpreter.run(layer->inputs);
    EXPECT_LT(relative_error(out[0].data<float>(), layer->run().data<float>()), 1e-6);
  }
}

// A filter that another node computes must not be kept from one sample to the next.
TEST(FloatConv, ComputedFilterIsReadEveryTime) {
  Graph graph;
  ValueId src = append_input(graph, "src", {{1, 16, 16, 8}, DType::kF32, std::nullopt});
  ValueId filter = append_input(graph, "filter", {{32, 1, 1, 8}, DType::kF32, std::nullopt});
  graph.outputs.push_back({append_node(graph, Conv2d{}, "conv", {src, filter}).value(), {}});
  Interpreter interpreter(graph);
  Rng rng(5);
  for (int i = 0; i < 3; ++i) {
    std::vector<Tensor> in{random_f32(rng, {1, 16, 16, 8}), random_f32(rng, {32, 1, 1, 8})};
    auto out = interpreter.run(in);
    const Tensor* operands[] = {&in[0], &in[1]};
    Tensor alone = run_node(graph, graph.nodes[0], operands)[0];
    EXPECT_LT(relative_error(out[0].data<float>(), alone.data<float>()), 1e-6);
  }
}

}  // namespace
}  // namespace nibble
