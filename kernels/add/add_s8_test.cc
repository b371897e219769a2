// add_s8 and add_broadcast_s8 against the integer references of add and sub.
#include "support/kernel_runner.h"

namespace nibble {
namespace {

// Bounds around the output's own range: none, relu, relu6, a band that clips both sides, one above
// everything.
Bounds random_bounds(Rng& rng) {
  const Bounds kBounds[] = {{}, {0, INFINITY}, {0, 6}, {-0.5f, 0.7f}, {1e6f, 2e6f}};
  return kBounds[rng.next() % 5];
}

Rounding random_rounding(Rng& rng) {
  return rng.next() % 4 ? Rounding::kTflite : Rounding::kSingle;
}

template <class T>
Result<Layer> draw(Rng& rng, Shape lhs, Shape rhs) {
  QuantParams lhs_params = random_params(rng), rhs_params = random_params(rng);
  // The output scale runs from far too small (saturates) to far too large (all zero).
  QuantParams out_params = random_params(rng, 0.1, 5);
  std::vector<bool> constant = {rng.next() % 8 == 0, rng.next() % 4 == 0};
  if (constant[0] && constant[1]) constant[0] = false;
  return make_layer(
      T{random_bounds(rng)},
      {random_s8(rng, std::move(lhs), lhs_params), random_s8(rng, std::move(rhs), rhs_params)},
      out_params, random_rounding(rng), constant);
}

Shape flat_shape(Rng& rng) {
  // A single element, odd counts around vector widths, a residual of a real network.
  const Shape kShapes[] = {{1}, {7}, {1, 3, 3, 5}, {33}, {1, 16, 16, 8}};
  return kShapes[rng.next() % 5];
}

// A random shape, and two operands that each lack some of its extents.
std::pair<Shape, Shape> broadcast_shapes(Rng& rng) {
  Shape lhs, rhs;
  auto rank = rng.integer(1, 4);
  for (int64_t i = 0; i < rank; ++i) {
    int64_t extent = rng.integer(1, 5);
    bool lhs_one = rng.next() % 3 == 0;
    lhs.push_back(lhs_one ? 1 : extent);
    rhs.push_back(!lhs_one && rng.next() % 3 == 0 ? 1 : extent);
  }
  // Missing leading axes are axes of extent 1.
  while (!rhs.empty() && rhs[0] == 1 && rng.next() % 2) rhs.erase(rhs.begin());
  if (rng.next() % 2) std::swap(lhs, rhs);
  return {lhs, rhs};
}

TEST(AddKernel, EqualsReference) {
  EXPECT_EQ(compare_random_layers(600,
                                  [](Rng& rng) {
                                    Shape shape = flat_shape(rng);
                                    return draw<Add>(rng, shape, shape);
                                  }),
            600);
}

TEST(AddKernel, SubtractsLikeTheReference) {
  EXPECT_EQ(compare_random_layers(600,
                                  [](Rng& rng) {
                                    Shape shape = flat_shape(rng);
                                    return draw<Sub>(rng, shape, shape);
                                  }),
            600);
}

TEST(AddBroadcastKernel, EqualsReference) {
  int flat = 0;
  int valid = compare_random_layers(800, [&](Rng& rng) {
    auto [lhs, rhs] = broadcast_shapes(rng);
    flat += lhs == rhs;
    return rng.next() % 2 ? draw<Add>(rng, lhs, rhs) : draw<Sub>(rng, lhs, rhs);
  });
  EXPECT_EQ(valid, 800);
  EXPECT_LT(flat, 400);
}

TEST(AddBroadcastKernel, FiveAlternatingAxesAreAnError) {
  Rng rng(1);
  Layer layer = valid_layer(Add{},
                            {random_s8(rng, {4, 1, 2, 1, 3}, s8_params(1, 0)),
                             random_s8(rng, {1, 3, 1, 5, 1}, s8_params(1, 0))},
                            s8_params(1, 0));
  auto requests = lower_node(layer.graph, layer.node());
  ASSERT_FALSE(requests.ok());
  EXPECT_EQ(
      requests.error().message,
      "add 'node': lhs 4x1x2x1x3 and rhs 1x3x1x5x1 repeat in turn along 5 groups of axes, the "
      "kernel has 4; reshape them, or repeat one of them beforehand");
}

// Every pair of inputs for one set of parameters, as a broadcast of two vectors of all values.
TEST(AddBroadcastKernel, EveryPairOfValues) {
  std::vector<int8_t> all;
  for (int q = -128; q <= 127; ++q) all.push_back(static_cast<int8_t>(q));
  for (int32_t zero : {-128, 3, 127}) {
    Layer layer = valid_layer(Add{},
                              {s8_tensor({256, 1}, all, s8_params(0.07f, zero)),
                               s8_tensor({256}, all, s8_params(0.0313f, -zero - 1))},
                              s8_params(0.11f, 5));
    EXPECT_TRUE(kernels_equal_reference(layer));
  }
}

}  // namespace
}  // namespace nibble
