// conv2d_s8 against the integer reference of conv2d.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

// Counted, so that the draw cannot quietly stop to cover a case.
TEST(Conv2dKernel, EqualsReference) {
  int grouped = 0, dilated = 0, outside = 0, larger_than_input = 0;
  int valid = compare_random_layers(1500, [&](Rng& rng) {
    auto layer = random_conv2d(rng);
    if (!layer.ok()) return layer;
    const auto& op = std::get<Conv2d>(layer->node().op);
    const Shape &src = layer->operands[0].shape(), &filter = layer->operands[1].shape();
    grouped += op.groups > 1;
    dilated += op.window.dilation_h > 1 || op.window.dilation_w > 1;
    outside += op.window.pad_top >= filter[1] && op.window.dilation_h == 1;
    larger_than_input += filter[1] > src[1] || filter[2] > src[2];
    return layer;
  });
  EXPECT_EQ(valid, 1500);
  EXPECT_GT(grouped, 100);
  EXPECT_GT(dilated, 100);
  EXPECT_GT(outside, 50);
  EXPECT_GT(larger_than_input, 50);
}

// One pixel under a kernel that only touches it with its corners.
TEST(Conv2dKernel, EveryPaddingOfOnePixel) {
  Rng rng(7);
  for (int64_t top = 0; top <= 3; ++top)
    for (int64_t left = 0; left <= 3; ++left)
      for (int64_t bottom = 0; bottom <= 3; ++bottom)
        for (int64_t right = 0; right <= 3; ++right) {
          Conv2d op;
          op.window.pad_top = top;
          op.window.pad_left = left;
          op.window.pad_bottom = bottom;
          op.window.pad_right = right;
          auto layer = make_layer(op,
                                  {random_s8(rng, {1, 1, 1, 3}, s8_params(0.1f, -7)),
                                   random_filter(rng, {5, 3, 2, 3}, 0), random_bias(rng, 5)},
                                  s8_params(0.5f, 3), Rounding::kTflite, {false, true, true});
          if (1 + top + bottom < 3 || 1 + left + right < 2) {
            EXPECT_FALSE(layer.ok());
            continue;
          }
          ASSERT_TRUE(layer.ok()) << layer.error().message;
          EXPECT_TRUE(kernels_equal_reference(*layer)) << top << left << bottom << right;
        }
}

}  // namespace
}  // namespace nibble
