// dense: hand-computed cases, the definition in 64-bit integers and doubles, and errors.
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(Dense, RowsOfAnyRank) {
  Tensor src = Tensor::of_floats({2, 1, 2}, std::vector<float>{1, 2, 3, 4});
  Tensor filter = Tensor::of_floats({3, 2}, std::vector<float>{1, 0, 0, 1, 10, 100});
  Tensor bias = Tensor::of_floats({3}, std::vector<float>{0, 0, -210});
  Tensor out = valid_layer(Dense{{0, 300}}, {src, filter, bias}).run();
  EXPECT_EQ(out.shape(), (Shape{2, 1, 3}));
  EXPECT_EQ(floats_of(out), (std::vector<float>{1, 2, 0, 3, 4, 220}));
}

TEST(Dense, IntegerWithinRoundingOfTheDefinition) {
  for_valid_layers(Rng(13), 400, random_dense, [](const Layer& layer) {
    const Tensor& filter = layer.operands[1];
    Tensor out = layer.run();
    int64_t in_len = filter.shape()[1], out_len = filter.shape()[0];
    for (int64_t index = 0; index < out.size(); ++index) {
      int64_t o = index % out_len, row = index / out_len;
      int64_t acc = layer.operands.size() > 2 ? layer.operands[2].integer_at(o) : 0;
      for (int64_t k = 0; k < in_len; ++k)
        acc += centred_src(layer, row * in_len + k) * filter.integer_at(o * in_len + k);
      expect_rescaled(layer, acc, o, std::get<Dense>(layer.node().op).act, out.integer_at(index));
    }
  });
}

// TensorFlow Lite forms the factor of a per-tensor dense layer from the float product of the
// scales, which differs from the double product in the last bits of the multiplier.
TEST(Dense, PerTensorFactorIsAFloatProduct) {
  float src_scale = 0.1f, filter_scale = 0.3f;
  double as_float = static_cast<double>(src_scale * filter_scale);
  double as_double = static_cast<double>(src_scale) * static_cast<double>(filter_scale);
  ASSERT_NE(as_float, as_double);
  // A bias alone, on an output whose step puts the two products on different sides of a tie.
  for (int32_t acc = 1'000'000; acc < 400'000'000; acc += 999'983) {
    float out_scale = static_cast<float>(as_float * acc / 100.5);
    double by_float = as_float * acc / static_cast<double>(out_scale);
    double by_double = as_double * acc / static_cast<double>(out_scale);
    if (std::abs(by_float - 100.5) < 1e-7 || std::abs(by_double - 100.5) < 1e-7 ||
        (by_float > 100.5) == (by_double > 100.5))
      continue;
    Tensor bias = Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{acc});
    auto layer = make_layer(Dense{},
                            {s8_tensor({1, 1}, {0}, s8_params(src_scale, 0)),
                             s8_tensor({1, 1}, {1}, s8_params(filter_scale, 0)), bias},
                            s8_params(out_scale, 0), Rounding::kSingle, {false, true, true});
    ASSERT_TRUE(layer.ok()) << layer.error().message;
    EXPECT_EQ(elems_of(layer->run())[0], by_float > 100.5 ? 101 : 100);
    return;
  }
  FAIL() << "no accumulator tells the products apart";
}

TEST(Dense, ErrorsSayWhatDoesNotFit) {
  Rng rng(1);
  EXPECT_EQ(layer_error(Dense{}, {random_f32(rng, {1, 8}), random_f32(rng, {3, 7})}),
            "dense 'node': filter 3x7 takes 7 values, src 1x8 has 8 in its last extent");
  EXPECT_EQ(
      layer_error(Dense{}, {random_f32(rng, {1, 8}), random_s8(rng, {3, 8}, s8_params(1, 0))}),
      "dense 'node': src is f32 and filter is s8; both must be f32, or both integers (dequantize "
      "one of them)");
}

}  // namespace
}  // namespace nibble
