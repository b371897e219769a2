// clamp_s8 against the integer reference of clamp.
#include "support/kernel_runner.h"

namespace nibble {
namespace {

TEST(ClampKernel, EqualsReference) {
  int valid = compare_random_layers(500, [](Rng& rng) {
    const Bounds kBounds[] = {{0, INFINITY},  {0, 6},       {-1, 1},
                              {-INFINITY, 0}, {0.3f, 0.3f}, {50, 90}};
    const Shape kShapes[] = {{1}, {1, 5, 5, 3}, {257}};
    QuantParams params = random_params(rng);
    return make_layer(Clamp{kBounds[rng.next() % 6]},
                      {random_s8(rng, kShapes[rng.next() % 3], params)}, params);
  });
  EXPECT_EQ(valid, 500);
}

}  // namespace
}  // namespace nibble
