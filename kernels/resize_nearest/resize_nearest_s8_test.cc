// resize_nearest_s8 against the integer reference of resize_nearest.
#include "support/kernel_runner.h"

namespace nibble {
namespace {

TEST(ResizeNearestKernel, EqualsReference) {
  int valid = compare_random_layers(600, [](Rng& rng) {
    ResizeNearest resize;
    Shape shape = {rng.integer(1, 2), rng.integer(1, 7), rng.integer(1, 7), rng.integer(1, 4)};
    // Twice the size (what detectors do), the same size, or any other, smaller or larger.
    resize.out_h = rng.next() % 2 ? 2 * shape[1] : rng.integer(1, 15);
    resize.out_w = rng.next() % 2 ? 2 * shape[2] : rng.integer(1, 15);
    resize.align_corners = rng.next() % 2;
    resize.half_pixel_centers = !resize.align_corners && rng.next() % 2;
    QuantParams params = random_params(rng);
    return make_layer(resize, {random_s8(rng, shape, params)}, params);
  });
  EXPECT_EQ(valid, 600);
}

}  // namespace
}  // namespace nibble
