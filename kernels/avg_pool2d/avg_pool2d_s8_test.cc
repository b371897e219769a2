// avg_pool2d_s8 against the integer reference of avg_pool2d.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(AvgPool2dKernel, EqualsReference) {
  int padded = 0, counted = 0, global = 0;
  int valid = compare_random_layers(1000, [&](Rng& rng) -> Result<Layer> {
    AvgPool2d op;
    Shape src{1, rng.integer(1, 10), rng.integer(1, 10), random_channels(rng)};
    bool whole = rng.next() % 4 == 0;
    op.k_h = whole ? src[1] : rng.integer(1, 4);
    op.k_w = whole ? src[2] : rng.integer(1, 4);
    if (!whole) op.window = random_window(rng, op.k_h, op.k_w);
    op.count_pad = rng.next() % 2;
    op.act = random_act(rng);
    QuantParams quant = random_params(rng);
    auto layer = make_layer(op, {random_s8(rng, src, quant)}, quant);
    if (layer.ok()) {
      padded += op.window.pad_top > 0;
      counted += op.window.pad_top > 0 && op.count_pad;
      global += whole;
    }
    return layer;
  });
  EXPECT_EQ(valid, 1000);
  EXPECT_GT(padded, 100);
  EXPECT_GT(counted, 50);
  EXPECT_GT(global, 100);
}

}  // namespace
}  // namespace nibble
