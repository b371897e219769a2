// Layers of the 16x8 scheme: rescaling of 64-bit accumulators by hand, sums beyond 32 bits, and
// what is refused.
#include <gmock/gmock.h>

#include "support/weight_layer.h"

namespace nibble {
namespace {

using testing::HasSubstr;

// dense of one output: factor src scale * filter scale / output scale.
Result<Layer> dense_layer(std::vector<int16_t> src, std::vector<int8_t> weights,
                          std::optional<Tensor> bias, float out_scale,
                          Rounding rounding = Rounding::kTflite) {
  auto len = static_cast<int64_t>(src.size());
  Tensor filter = s8_tensor({1, len}, weights, {{0.5f}, {0}, -1, 8, -127, 127});
  std::vector<Tensor> operands{s16_tensor({1, len}, src, 0.25f), filter};
  if (bias) operands.push_back(*bias);
  return make_layer(Dense{}, operands, s16_params(out_scale), rounding, {false, true, true});
}

Tensor wide_bias(int64_t value) {
  return Tensor::of<int64_t>({1}, DType::kS64, std::span(&value, 1));
}
Tensor narrow_bias(int32_t value) {
  return Tensor::of<int32_t>({1}, DType::kS32, std::span(&value, 1));
}

// M = 0.125 / 0.3 = 0.41666.., multiplier 0.8333.. * 2^31; its upper half is 27307, exponent -1:
// out = (acc * 27307 + 2^15) >> 16.
TEST(WideLayer, WideBiasRescalesByTheReducedMultiplier) {
  for (int64_t bias : {-60'001, -1, 0, 7, 59'999}) {
    auto layer = dense_layer({1000, -30'000}, {100, 3}, wide_bias(bias), 0.3f);
    ASSERT_TRUE(layer.ok()) << layer.error().message;
    int64_t acc = 1000 * 100 - 30'000 * 3 + bias;
    EXPECT_EQ(layer->run().integer_at(0), (acc * 27307 + (1 << 15)) >> 16) << bias;
  }
}

// The same layer with a bias of 32 bits has all bits of the multiplier; results may differ.
TEST(WideLayer, NarrowBiasRescalesByTheWholeMultiplier) {
  auto wide = dense_layer({32'767}, {127}, wide_bias(0), 100.7f);
  auto narrow = dense_layer({32'767}, {127}, narrow_bias(0), 100.7f);
  ASSERT_TRUE(wide.ok() && narrow.ok());
  double exact = 32'767.0 * 127 * 0.125 / static_cast<double>(100.7f);
  EXPECT_EQ(narrow->run().integer_at(0), std::lround(exact));
  EXPECT_NEAR(static_cast<double>(wide->run().integer_at(0)), exact, exact * 0x1p-15 + 0.5);
}

// Without a bias TensorFlow Lite has 64-bit accumulators; ONNX Runtime rounds once.
TEST(WideLayer, WithoutBiasTheGraphDecides) {
  auto tflite = dense_layer({32'767}, {127}, std::nullopt, 100.7f);
  auto wide = dense_layer({32'767}, {127}, wide_bias(0), 100.7f);
  auto single = dense_layer({32'767}, {127}, std::nullopt, 100.7f, Rounding::kSingle);
  auto narrow = dense_layer({32'767}, {127}, narrow_bias(0), 100.7f, Rounding::kSingle);
  ASSERT_TRUE(tflite.ok() && single.ok());
  EXPECT_EQ(tflite->run().integer_at(0), wide->run().integer_at(0));
  EXPECT_EQ(single->run().integer_at(0), narrow->run().integer_at(0));
}

TEST(WideLayer, SumsBeyond32BitsAreExact) {
  std::vector<int16_t> src(1000, -32'768);
  std::vector<int8_t> weights(1000, 127);
  auto layer = dense_layer(src, weights, wide_bias(1'000'000'000'000), 1e8f);
  ASSERT_TRUE(layer.ok()) << layer.error().message;
  double exact = (1e12 - 32'768.0 * 127 * 1000) * 0.125 / 1e8;
  EXPECT_NEAR(static_cast<double>(layer->run().integer_at(0)), exact, 1);
}

// Two products of 16-bit weights fill 32 bits.
TEST(WideLayer, SumsOfSixteenBitWeightsAreExact) {
  for (int64_t len : {1, 3, 16, 17, 40}) {
    std::vector<int16_t> src, weights;
    int64_t sum = 0;
    for (int64_t i = 0; i < len; ++i) {
      src.push_back(static_cast<int16_t>(i % 3 == 0 ? -32'768 : 30'000 - 7 * i));
      weights.push_back(static_cast<int16_t>(i % 2 == 0 ? 32'767 : 20'000 + i));
      sum += int64_t{src.back()} * weights.back();
    }
    Tensor filter = Tensor::of<int16_t>({1, len}, DType::kS16, weights);
    filter.set_quant(QuantParams{{0.5f}, {0}, -1, 16, -32'767, 32'767});
    std::vector<Tensor> operands{s16_tensor({1, len}, src, 0.25f), filter, wide_bias(0)};
    auto layer =
        make_layer(Dense{}, operands, s16_params(1e6f), Rounding::kTflite, {false, true, true});
    ASSERT_TRUE(layer.ok()) << layer.error().message;
    EXPECT_NEAR(static_cast<double>(layer->run().integer_at(0)),
                static_cast<double>(sum) * 0.125 / 1e6, 1)
        << len;
  }
}

TEST(WideLayer, Errors) {
  EXPECT_THAT(dense_layer({1}, {1}, wide_bias(int64_t{1} << 47), 1e9f).error().message,
              HasSubstr("its rescaling takes less than 2^47"));
  EXPECT_THAT(dense_layer({1}, {1}, wide_bias(INT64_MIN), 1e9f).error().message,
              HasSubstr("its rescaling takes less than 2^47"));
  EXPECT_THAT(dense_layer({1}, {1}, wide_bias(0), 1e-5f).error().message,
              HasSubstr("its output scale is too small"));
  EXPECT_THAT(dense_layer({1}, {1}, narrow_bias(INT32_MAX), 1).error().message,
              HasSubstr("32 bits hold"));
  Tensor src = s16_tensor({1, 1}, {1}, 0.25f);
  src.set_quant(QuantParams{{0.25f}, {3}, -1, 16, -32768, 32767});
  EXPECT_THAT(
      layer_error(MaxPool2d{}, {Tensor(TensorType{{1, 1, 1, 1}, DType::kS16, *src.type().quant})},
                  *src.type().quant),
      HasSubstr("16-bit activations are symmetric"));
  // A bias of 64 bits belongs to 16-bit activations.
  auto narrow = make_layer(Dense{},
                           {s8_tensor({1, 1}, {1}, s8_params(0.5f, 0)),
                            s8_tensor({1, 1}, {1}, {{0.5f}, {0}, -1, 8, -127, 127}), wide_bias(1)},
                           s8_params(1, 0), Rounding::kTflite, {false, true, true});
  EXPECT_THAT(narrow.error().message, HasSubstr("bias is s64; integer execution takes s32"));
}

// Tables and fixed point against exp itself: within two steps of 1/32768.
TEST(WideLayer, SoftmaxIsClose) {
  Rng rng(5);
  Tensor src = random_s16(rng, {4, 12}, s16_params(0.0002f));
  Layer layer = valid_layer(Softmax{}, {src}, s16_params(1.0f / 32768));
  Tensor expected = valid_layer(Softmax{}, {dequantize_tensor(src)}).run();
  Tensor got = dequantize_tensor(layer.run());
  for (size_t i = 0; i < 48; ++i)
    EXPECT_NEAR(got.data<float>()[i], expected.data<float>()[i], 3.0f / 32768);
}

}  // namespace
}  // namespace nibble
