// quantize, dequantize and batch_norm: hand-computed cases, every width, and errors.
#include "support/layer.h"

namespace nibble {
namespace {

QuantParams params(float scale, int32_t zero_point, int bits) {
  auto reach = int64_t{1} << (bits - 1);
  return {{scale},
          {zero_point},
          -1,
          bits,
          static_cast<int32_t>(-reach),
          static_cast<int32_t>(reach - 1)};
}

Result<Graph> quantize_graph(TensorType src, DType dtype, QuantParams out) {
  Graph graph;
  ValueId in = append_input(graph, "src", std::move(src));
  NIBBLE_ASSIGN(ValueId result, append_node(graph, Quantize{}, "q", {in}, std::move(out), dtype));
  graph.outputs.push_back({result, {}});
  NIBBLE_TRY(verify_graph(graph, VerifyLevel::kImported));
  return graph;
}

TEST(Quantize, TiesGoAwayFromZeroAndEndsClamp) {
  Tensor src = Tensor::of_floats(
      {9}, std::vector<float>{0, 0.25f, -0.25f, 0.75f, -0.75f, 1000, -1000, INFINITY, NAN});
  EXPECT_EQ(elems_of(valid_layer(Quantize{}, {src}, s8_params(0.5f, 3)).run()),
            (std::vector<int>{3, 4, 2, 5, 1, 127, -128, 127, 3}));
}

// Half away from zero of the float quotient, whatever the loop makes of it.
TEST(Quantize, RoundsAsTheLibraryDoes) {
  Rng rng(1);
  std::vector<float> values = {0.49999997f, -0.49999997f, 8388609.0f, 1e30f, -1e30f, -0.0f};
  for (int i = 0; i < 20'000; ++i)
    values.push_back(static_cast<float>(rng.integer(-600, 600)) * 0.5f *
                     (rng.integer(0, 1) ? 1.0f : static_cast<float>(rng.uniform(0.9, 1.1))));
  const Tensor src = Tensor::of_floats({static_cast<int64_t>(values.size())}, values);
  for (float scale : {1.0f, 0.7f}) {
    const QuantParams wide = params(scale, 0, 16);
    const Tensor found = quantize_tensor(src, {src.shape(), DType::kS16, wide});
    const Tensor back = dequantize_tensor(found);
    for (size_t i = 0; i < values.size(); ++i) {
      const float rounded = std::round(values[i] / scale);
      const auto wanted = static_cast<int64_t>(std::clamp(rounded, -32768.0f, 32767.0f));
      ASSERT_EQ(found.integer_at(static_cast<int64_t>(i)), wanted) << values[i] << " / " << scale;
      ASSERT_EQ(back.data<float>()[i],
                static_cast<float>(static_cast<double>(scale) * static_cast<double>(wanted)));
    }
  }
}

TEST(Quantize, SixteenBits) {
  auto graph = quantize_graph({{3}, DType::kF32, std::nullopt}, DType::kS16, params(0.001f, 0, 16));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Tensor src = Tensor::of_floats({3}, std::vector<float>{1.5f, -40, 12.3456f});
  EXPECT_EQ(elems_of(Interpreter(*graph).run(std::vector{src})[0]),
            (std::vector<int>{1500, -32768, 12346}));
}

// From scale 0.5, zero point -3 to scale 0.25, zero point 4: twice the centred value.
TEST(Quantize, RequantizesBetweenWidths) {
  struct Case {
    DType src, out;
    int src_bits, out_bits;
    std::vector<int> want;
  };
  const Case kCases[] = {{DType::kS8, DType::kS8, 8, 8, {10, -2, 127}},
                         {DType::kS8, DType::kS16, 8, 16, {10, -2, 264}},
                         {DType::kS16, DType::kS8, 16, 8, {10, -2, 127}},
                         {DType::kS16, DType::kS32, 16, 32, {10, -2, 264}}};
  for (const Case& c : kCases) {
    auto graph = quantize_graph({{3}, c.src, params(0.5f, -3, c.src_bits)}, c.out,
                                params(0.25f, 4, c.out_bits));
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    Tensor src(graph->type(0));
    const int64_t elems[] = {0, -6, 127};
    for (int64_t i = 0; i < 3; ++i) src.set_integer_at(i, elems[i]);
    EXPECT_EQ(elems_of(Interpreter(*graph).run(std::vector{src})[0]), c.want);
  }
}

TEST(Quantize, ErrorsSayWhatIsMissing) {
  Tensor src = Tensor::of_floats({1}, std::vector<float>{1});
  EXPECT_EQ(layer_error(Quantize{}, {src}),
            "quantize 'node': output is s8 without scale and zero point");
  auto huge =
      quantize_graph({{1}, DType::kS8, s8_params(1e30f, 0)}, DType::kS8, s8_params(1e-5f, 0));
  ASSERT_FALSE(huge.ok());
  EXPECT_NE(huge.error().message.find("must be under 2^30"), std::string::npos);
}

TEST(Dequantize, ScaleTimesDistanceFromZeroPoint) {
  Tensor src = s8_tensor({3}, {-128, 3, 127}, s8_params(0.5f, 3));
  EXPECT_EQ(floats_of(valid_layer(Dequantize{}, {src}).run()), (std::vector<float>{-65.5f, 0, 62}));
}

// Weights of an imported model: one scale per row.
TEST(Dequantize, ConstantsPerChannel) {
  Tensor src = s8_tensor({2, 2}, {1, 2, 3, 4}, QuantParams{{0.5f, 10}, {0, 0}, 0, 8, -127, 127});
  auto layer = make_layer(Dequantize{}, {src}, std::nullopt, Rounding::kTflite, {true});
  ASSERT_TRUE(layer.ok()) << layer.error().message;
  EXPECT_EQ(floats_of(layer->run()), (std::vector<float>{0.5f, 1, 30, 40}));
  EXPECT_EQ(
      layer_error(Dequantize{}, {src}),
      "dequantize 'node': src is quantized per channel (axis 0); activations must be quantized "
      "per tensor");
}

// What quantize writes, dequantize reads back within half a step.
TEST(QuantizeTensor, TheNearestLevelIsTheLowerOneOfTwoAsNear) {
  const std::vector<int32_t> levels = {-8, -2, 0, 1, 5};
  for (auto [q, nearest] : {std::pair(-100.0, -8),
                            {-8, -8},
                            {-5.1, -8},
                            {-5, -8},
                            {-4.9, -2},
                            {-1, -2},
                            {-0.9, 0},
                            {0.5, 0},
                            {0.6, 1},
                            {3, 1},
                            {3.1, 5},
                            {99, 5}})
    EXPECT_EQ(nearest_level(levels, q), nearest) << q;
  EXPECT_EQ(nearest_level(std::vector<int32_t>{7}, -3), 7);
}

TEST(QuantizeTensor, RoundTripWithinHalfAStep) {
  Rng rng(8);
  for (int i = 0; i < 100; ++i) {
    Tensor real = random_f32(rng, {2, 3, 4});
    QuantParams quant{{}, {0, 0, 0}, 1, 8, -128, 127};
    for (int c = 0; c < 3; ++c) quant.scale.push_back(static_cast<float>(rng.uniform(0.05, 1)));
    Tensor back = dequantize_tensor(quantize_tensor(real, {{2, 3, 4}, DType::kS8, quant}));
    for (size_t e = 0; e < 24; ++e)
      EXPECT_LE(std::abs(back.data<float>()[e] - real.data<float>()[e]),
                0.5001f * quant.scale[e / 4 % 3]);
  }
}

// gamma (x - mean) / sqrt(variance + epsilon) + beta, per channel.
TEST(BatchNorm, NormalisesTheLastAxis) {
  auto vector = [](float a, float b) { return Tensor::of_floats({2}, std::vector<float>{a, b}); };
  Tensor src = Tensor::of_floats({2, 2}, std::vector<float>{1, 10, 3, 30});
  Layer layer =
      valid_layer(BatchNorm{1}, {src, vector(2, 1), vector(5, 0), vector(1, 20), vector(3, 24)});
  EXPECT_EQ(floats_of(layer.run()), (std::vector<float>{5, -2, 7, 2}));
}

TEST(BatchNorm, HasNoIntegerForm) {
  Tensor one = Tensor::of_floats({1}, std::vector<float>{1});
  Tensor src = s8_tensor({1, 1}, {1}, s8_params(1, 0));
  EXPECT_EQ(layer_error(BatchNorm{}, {src, one, one, one, one}, s8_params(1, 0)),
            "batch_norm 'node': src is s8, must be f32");
}

}  // namespace
}  // namespace nibble
