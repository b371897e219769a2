// mean_s8 against the integer reference of mean.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(MeanKernel, EqualsReference) {
  int two_blocks = 0, spatial = 0;
  int valid = compare_random_layers(1000, [&](Rng& rng) -> Result<Layer> {
    Mean op;
    op.keep_dims = rng.next() % 2;
    Shape src;
    for (int64_t i = rng.integer(1, 4); i > 0; --i) src.push_back(rng.integer(1, 9));
    if (rng.next() % 3 == 0)
      src = {1, rng.integer(1, 12), rng.integer(1, 12), random_channels(rng)};
    for (size_t axis = 0; axis < src.size(); ++axis)
      if (rng.next() % 2) op.axes.push_back(static_cast<int64_t>(axis));
    QuantParams in = random_params(rng);
    // The same parameters, other ones, and a scale so small that the factor exceeds 1.
    QuantParams out = rng.next() % 3 ? random_params(rng, static_cast<double>(in.scale[0]), 3) : in;
    auto layer = make_layer(op, {random_s8(rng, src, in)}, out, random_rounding_mode(rng));
    if (layer.ok()) {
      two_blocks += op.axes == std::vector<int64_t>{0, 2} || op.axes == std::vector<int64_t>{1, 3};
      spatial += src.size() == 4 && op.axes == std::vector<int64_t>{1, 2};
    }
    return layer;
  });
  EXPECT_EQ(valid, 1000);
  EXPECT_GT(two_blocks, 50);
  EXPECT_GT(spatial, 20);
}

TEST(MeanKernel, ThreeBlocksOfAxesAreAnError) {
  Rng rng(1);
  Layer layer = valid_layer(Mean{{0, 2, 4}, false},
                            {random_s8(rng, {2, 3, 2, 3, 2}, s8_params(1, 0))}, s8_params(1, 0));
  auto requests = lower_node(layer.graph, layer.node());
  ASSERT_FALSE(requests.ok());
  EXPECT_EQ(
      requests.error().message,
      "mean 'node': reduces axes of src 2x3x2x3x2 in more than two separate blocks; transpose "
      "src first");
}

}  // namespace
}  // namespace nibble
