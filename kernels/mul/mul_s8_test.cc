// mul_s8 and mul_broadcast_s8 against the integer reference of mul.
#include "support/kernel_runner.h"

namespace nibble {
namespace {

Result<Layer> draw(Rng& rng, Shape lhs, Shape rhs) {
  const Bounds kBounds[] = {{}, {0, INFINITY}, {0, 6}, {-0.5f, 0.7f}};
  QuantParams lhs_params = random_params(rng), rhs_params = random_params(rng);
  // The product of the input scales over the output scale, from 2^-30 to a left shift.
  QuantParams out_params =
      random_params(rng, static_cast<double>(lhs_params.scale[0] * rhs_params.scale[0]) * 100, 9);
  std::vector<bool> constant = {rng.next() % 8 == 0, rng.next() % 4 == 0};
  if (constant[0] && constant[1]) constant[1] = false;
  return make_layer(
      Mul{kBounds[rng.next() % 4]},
      {random_s8(rng, std::move(lhs), lhs_params), random_s8(rng, std::move(rhs), rhs_params)},
      out_params, rng.next() % 4 ? Rounding::kTflite : Rounding::kSingle, constant);
}

TEST(MulKernel, EqualsReference) {
  const Shape kShapes[] = {{1}, {7}, {1, 3, 3, 5}, {33}, {1, 16, 16, 8}};
  EXPECT_EQ(compare_random_layers(600,
                                  [&](Rng& rng) {
                                    const Shape& shape = kShapes[rng.next() % 5];
                                    return draw(rng, shape, shape);
                                  }),
            600);
}

TEST(MulBroadcastKernel, EqualsReference) {
  // A scalar on either side, a channel vector, squeeze and excite, an outer product, rows against
  // columns.
  const std::pair<Shape, Shape> kShapes[] = {
      {{1, 4, 4, 3}, {}},           {{}, {1, 5}},          {{1, 4, 4, 3}, {3}},
      {{1, 1, 1, 8}, {1, 5, 5, 8}}, {{6, 1}, {1, 7}},      {{2, 1, 3, 1}, {1, 4, 1, 5}},
      {{1, 4, 1, 3}, {1, 4, 6, 3}}, {{5, 1, 2}, {5, 3, 2}}};
  EXPECT_EQ(compare_random_layers(800,
                                  [&](Rng& rng) {
                                    const auto& [lhs, rhs] = kShapes[rng.next() % 8];
                                    return draw(rng, lhs, rhs);
                                  }),
            800);
}

}  // namespace
}  // namespace nibble
