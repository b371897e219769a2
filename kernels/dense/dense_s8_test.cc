// dense_s8 against the integer reference of dense.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(DenseKernel, EqualsReference) {
  int rows = 0;
  int valid = compare_random_layers(1500, [&](Rng& rng) {
    auto layer = random_dense(rng);
    if (layer.ok()) rows += layer->operands[0].shape().size() > 1;
    return layer;
  });
  EXPECT_EQ(valid, 1500);
  EXPECT_GT(rows, 300);
}

}  // namespace
}  // namespace nibble
