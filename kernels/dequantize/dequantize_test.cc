// dequantize_s8_f32 against the reference of dequantize.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(DequantizeKernel, EqualsReference) {
  std::vector<int8_t> all;
  for (int q = -128; q <= 127; ++q) all.push_back(static_cast<int8_t>(q));
  int valid = compare_random_layers(600, [&](Rng& rng) {
    return make_layer(Dequantize{}, {s8_tensor({256}, all, random_params(rng))});
  });
  EXPECT_EQ(valid, 600);
}

}  // namespace
}  // namespace nibble
