// pad_s8 against the integer reference of pad.
#include "support/kernel_runner.h"

namespace nibble {
namespace {

TEST(PadKernel, EqualsReference) {
  int valid = compare_random_layers(800, [](Rng& rng) {
    Pad pad;
    Shape shape;
    auto rank = rng.integer(1, 4);
    for (int64_t i = 0; i < rank; ++i) {
      shape.push_back(rng.integer(1, 5));
      // Half of the axes stay as they are, and merge.
      bool padded = rng.next() % 2;
      pad.before.push_back(padded ? rng.integer(0, 3) : 0);
      pad.after.push_back(padded ? rng.integer(0, 3) : 0);
    }
    // The zero point, something in the range, something saturated.
    const float kValues[] = {0, 0.25f, -1e9f};
    pad.value = kValues[rng.next() % 3];
    QuantParams params = random_params(rng);
    return make_layer(pad, {random_s8(rng, shape, params)}, params);
  });
  EXPECT_EQ(valid, 800);
}

TEST(PadKernel, FiveAxesAreAnError) {
  Layer layer = valid_layer(Pad{{1, 1, 1, 1, 1}, {0, 0, 0, 0, 0}},
                            {s8_tensor({1, 1, 1, 1, 2}, {1, 2}, s8_params(1, 0))}, s8_params(1, 0));
  auto requests = lower_node(layer.graph, layer.node());
  ASSERT_FALSE(requests.ok());
  EXPECT_EQ(requests.error().message,
            "pad 'node': pads 5 separate axes of src 1x1x1x1x2, the kernel has 4; split it into "
            "two pads");
}

}  // namespace
}  // namespace nibble
