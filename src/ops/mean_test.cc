// mean: hand-computed cases, the exact mean of random tensors, and errors.
#include "support/layer.h"

namespace nibble {
namespace {

TEST(Mean, AnyAxesInFloat) {
  Tensor src = Tensor::of_floats({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 9});
  EXPECT_EQ(floats_of(valid_layer(Mean{{0}, false}, {src}).run()),
            (std::vector<float>{2.5f, 3.5f, 6}));
  EXPECT_EQ(floats_of(valid_layer(Mean{{1}, false}, {src}).run()), (std::vector<float>{2, 6}));
  Tensor all = valid_layer(Mean{{0, 1}, false}, {src}).run();
  EXPECT_EQ(all.shape(), Shape{});
  EXPECT_EQ(floats_of(all), (std::vector<float>{4}));
  EXPECT_EQ(valid_layer(Mean{{0, 1}, true}, {src}).run().shape(), (Shape{1, 1}));
}

// Every combination of axes of a random tensor, against the mean in doubles.
TEST(Mean, IntegerWithinOneStepOfTheMean) {
  Rng rng(21);
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle})
    for (unsigned mask = 0; mask < 16; ++mask)
      for (int draw = 0; draw < 5; ++draw) {
        Shape shape{rng.integer(1, 4), rng.integer(1, 7), rng.integer(1, 7), rng.integer(1, 9)};
        QuantParams in = random_params(rng);
        QuantParams out = random_params(rng, static_cast<double>(in.scale[0]), 1);
        Mean op;
        for (int64_t axis = 0; axis < 4; ++axis)
          if (mask >> axis & 1) op.axes.push_back(axis);
        Tensor src = random_s8(rng, shape, in);
        auto layer = make_layer(op, {src}, out, rounding);
        ASSERT_TRUE(layer.ok()) << layer.error().message;
        Tensor exact = valid_layer(op, {dequantize_tensor(src)}).run();
        Tensor integer = layer->run();
        for (int64_t i = 0; i < exact.size(); ++i) {
          double q = static_cast<double>(exact.data<float>()[static_cast<size_t>(i)]) /
                         static_cast<double>(out.scale[0]) +
                     out.zero_point[0];
          EXPECT_NEAR(static_cast<double>(integer.integer_at(i)), std::clamp(q, -128.0, 127.0),
                      rounding == Rounding::kSingle ? 0.501 : 1.0);
        }
      }
}

// Three elements, equal scales. The factor 1 is 2^30 * 2^1; divided by 3 with one more bit of
// mantissa it is floor(2^31 / 3) * 2^0. Sum 5 gives 1.67 → 2, sum -5 gives -2.
TEST(Mean, FactorHoldsTheCount) {
  for (int sign : {1, -1}) {
    Tensor src = s8_tensor(
        {3},
        {static_cast<int8_t>(2 * sign), static_cast<int8_t>(2 * sign), static_cast<int8_t>(sign)},
        s8_params(0.1f, 0));
    Layer layer = valid_layer(Mean{{0}, false}, {src}, s8_params(0.1f, 0));
    EXPECT_EQ(elems_of(layer.run()), (std::vector<int>{2 * sign}));
    auto requests = lower_node(layer.graph, layer.node());
    ASSERT_TRUE(requests.ok());
    auto field = [&](std::string_view wanted) {
      for (const auto& [name, value] : requests->at(0).fields)
        if (name == wanted) return value;
      return int64_t{-1};
    };
    EXPECT_EQ(field("multiplier"), (int64_t{1} << 31) / 3);
    EXPECT_EQ(field("exponent"), 0);
  }
}

TEST(Mean, AxesMustBeAscendingAndInside) {
  Tensor src = Tensor::of_floats({2, 3}, std::vector<float>(6));
  for (const auto& axes : {std::vector<int64_t>{1, 0}, {0, 0}, {2}, {-1}})
    EXPECT_NE(layer_error(Mean{axes, false}, {src}).find("ascending, from 0 to 1"),
              std::string::npos);
}

}  // namespace
}  // namespace nibble
