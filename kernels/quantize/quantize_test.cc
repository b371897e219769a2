// quantize_f32_s8 and requantize_s8 against the reference of quantize.
#include "support/kernel_runner.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(QuantizeKernel, EqualsReference) {
  int valid = compare_random_layers(600, [](Rng& rng) {
    QuantParams out = random_params(rng);
    Tensor src = random_f32(rng, {random_channels(rng)}, 100 * static_cast<double>(out.scale[0]));
    return make_layer(Quantize{}, {src}, out);
  });
  EXPECT_EQ(valid, 600);
}

// Exact ties, their neighbours, the ends of the range, and what is no ordinary number.
TEST(QuantizeKernel, TiesAndSpecialValues) {
  std::vector<float> elems = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, 1e-40f, 3e38f, -3e38f, 2.2e9f};
  for (float tie = -140.5f; tie <= 140.5f; tie += 1)
    for (float elem : {tie, std::nextafter(tie, -INFINITY), std::nextafter(tie, INFINITY)})
      elems.push_back(elem);
  for (float scale : {1.0f, 0.5f, 0.1f, 3.7e-5f, 1e30f, 1e-30f})
    for (int32_t zero : {-128, -1, 0, 127}) {
      std::vector<float> scaled;
      for (float elem : elems) scaled.push_back(elem * scale);
      Tensor src = Tensor::of_floats({static_cast<int64_t>(scaled.size())}, scaled);
      EXPECT_TRUE(kernels_equal_reference(valid_layer(Quantize{}, {src}, s8_params(scale, zero))))
          << scale << " " << zero;
    }
}

TEST(RequantizeKernel, EqualsReference) {
  int valid = compare_random_layers(600, [](Rng& rng) {
    QuantParams in = random_params(rng);
    QuantParams out = random_params(rng, static_cast<double>(in.scale[0]), 4);
    return make_layer(Quantize{}, {random_s8(rng, {random_channels(rng)}, in)}, out,
                      random_rounding_mode(rng));
  });
  EXPECT_EQ(valid, 600);
}

}  // namespace
}  // namespace nibble
