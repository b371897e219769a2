// softmax_s8 against the integer reference of softmax.
#include "support/kernel_runner.h"

namespace nibble {
namespace {

const QuantParams kOut = s8_params(1.0f / 256, -128);

TEST(SoftmaxKernel, EqualsReference) {
  int valid = compare_random_layers(700, [](Rng& rng) {
    // One element, two classes, the classifiers of MLPerf Tiny, many rows, and more than 2^8
    // elements.
    const Shape kShapes[] = {{1, 1}, {1, 2}, {1, 12}, {1, 10}, {2, 7, 3}, {1, 1000}};
    // From differences that vanish to ones that all fall below the smallest kept.
    QuantParams in = random_params(rng, 0.05, 10);
    auto beta = static_cast<float>(rng.next() % 3 ? 1 : rng.uniform(0.1, 4));
    Tensor src = random_s8(rng, kShapes[rng.next() % 6], in);
    // Rows of near-equal elements give the largest sums.
    if (rng.next() % 4 == 0)
      for (int8_t& elem : src.mutable_data<int8_t>())
        elem = static_cast<int8_t>(rng.integer(20, 22));
    return make_layer(Softmax{beta}, {src}, kOut);
  });
  EXPECT_EQ(valid, 700);
}

TEST(SoftmaxKernel, LongestRowOfEqualElements) {
  Tensor src(TensorType{{4095}, DType::kS8, s8_params(0.1f, 0)});
  Layer layer = valid_layer(Softmax{}, {src}, kOut);
  EXPECT_TRUE(kernels_equal_reference(layer));
}

}  // namespace
}  // namespace nibble
