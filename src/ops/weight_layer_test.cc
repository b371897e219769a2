// What verify refuses in integer layers with weights, and the proof that accumulators fit 32 bits.
#include "support/weight_layer.h"

namespace nibble {
namespace {

// A dense layer of one output; every argument can be made wrong.
struct Parts {
  Tensor src = s8_tensor({1, 2}, {1, 2}, s8_params(0.5f, 0));
  Tensor filter = s8_tensor({1, 2}, {3, 4}, s8_params(0.25f, 0));
  Tensor bias = Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{5});
  QuantParams out = s8_params(1, 0);
  std::vector<bool> constant = {false, true, true};

  std::string error(Rounding rounding = Rounding::kTflite) const {
    auto layer = make_layer(Dense{}, {src, filter, bias}, out, rounding, constant);
    return layer.ok() ? "" : layer.error().message;
  }
};

TEST(WeightLayer, ValidPartsPass) { EXPECT_EQ(Parts().error(), ""); }

TEST(WeightLayer, WeightsMustBeKnown) {
  Parts parts;
  parts.constant = {false, false, true};
  EXPECT_EQ(parts.error(), "dense 'node': filter is computed at run time, must be a constant");
}

TEST(WeightLayer, ActivationsOfOtherWidthsAreRefused) {
  Parts parts;
  parts.src = Tensor(TensorType{{1, 2}, DType::kS16, QuantParams{{1}, {0}, -1, 16, -32768, 32767}});
  EXPECT_EQ(parts.error(),
            "dense 'node': src is s16 and its output s8; they must be the same, put a quantize "
            "behind it");
}

TEST(WeightLayer, BiasScaleMustBeTheProduct) {
  Parts parts;
  parts.bias = Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{1000});
  parts.bias.set_quant(QuantParams{{0.125f}, {0}, -1, 32, INT32_MIN, INT32_MAX});
  EXPECT_EQ(parts.error(), "");
  parts.bias.set_quant(QuantParams{{0.25f}, {0}, -1, 32, INT32_MIN, INT32_MAX});
  EXPECT_EQ(parts.error(),
            "dense 'node': bias of channel 0 has scale 0.25, must have src scale * filter scale = "
            "0.125");
}

// |bias| + 128 * (3 + 4) is the largest accumulator: with the limit 2^31 - 1 - 2^16 the bias may
// reach 2,147,417,215, and not one more. The output scale keeps the exponent from shifting left.
TEST(WeightLayer, AccumulatorBoundIsExact) {
  Parts parts;
  parts.bias = Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{2'147'418'111 - 896});
  EXPECT_EQ(parts.error(), "");
  parts.bias = Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{-2'147'418'112 + 896});
  EXPECT_EQ(
      parts.error(),
      "dense 'node': the accumulator of output channel 0 can reach 2,147,418,112, 32 bits hold "
      "2,147,418,111; split the layer or quantize its weights with a larger scale");
}

// A factor of 2^20 shifts the accumulator left by 21 bits: 896 + 5 stays below 2^31, 1024 does not.
TEST(WeightLayer, LeftShiftMustNotOverflow) {
  Parts parts;
  parts.out = s8_params(0.125f / 0x1p20f, 0);
  EXPECT_EQ(parts.error(), "");
  parts.bias = Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{1024 - 896});
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle})
    EXPECT_EQ(
        parts.error(rounding),
        "dense 'node': the accumulator of output channel 0 can reach 1,024 and is rescaled by "
        "2^21, which overflows 32 bits; its output scale is too small");
}

}  // namespace
}  // namespace nibble
