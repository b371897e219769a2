// max_pool2d_s8 against the integer reference of max_pool2d.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(MaxPool2dKernel, EqualsReference) {
  int padded = 0, dilated = 0;
  int valid = compare_random_layers(1000, [&](Rng& rng) -> Result<Layer> {
    MaxPool2d op;
    op.k_h = rng.integer(1, 4);
    op.k_w = rng.integer(1, 4);
    op.window = random_window(rng, op.k_h, op.k_w);
    op.act = random_act(rng);
    QuantParams quant = random_params(rng);
    auto layer = make_layer(
        op,
        {random_s8(rng, {1, rng.integer(1, 10), rng.integer(1, 10), random_channels(rng)}, quant)},
        quant);
    if (layer.ok()) {
      padded += op.window.pad_top > 0;
      dilated += op.window.dilation_h > 1;
    }
    return layer;
  });
  EXPECT_EQ(valid, 1000);
  EXPECT_GT(padded, 100);
  EXPECT_GT(dilated, 50);
}

}  // namespace
}  // namespace nibble
