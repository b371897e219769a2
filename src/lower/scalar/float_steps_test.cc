// Quantizing floats without a division, and without floats, against the division: around every half
// between two outputs, for random scales.
#include "lower/scalar/float_steps.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "quantize/quantize_f32_s8_bits.h"
#include "quantize/quantize_f32_s8_elem.h"

namespace nibble {

std::vector<KernelVariant> generate_quantize_f32_s8_bits(const LayerView& layer,
                                                         const LowerOptions& options);

namespace {

constexpr int kScales = 200;

float random_scale(Rng& rng) {
  return static_cast<float>(std::exp2(20 * rng.uniform() - 10) * (1 + rng.uniform()));
}

// The neighbours of each half that the outputs reach, of both signs, and what is beyond all.
std::vector<float> floats_around_steps(float scale) {
  std::vector<float> floats = {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-42f, 3e38f, -3e38f};
  for (int step = 1; step <= 256; ++step) {
    float x = (static_cast<float>(step) - 0.5f) * scale;
    for (int i = 0; i < 4; ++i) x = std::nextafter(x, 0.0f);
    for (int i = 0; i < 8; ++i, x = std::nextafter(x, INFINITY)) {
      floats.push_back(x);
      floats.push_back(-x);
    }
  }
  return floats;
}

TEST(FloatSteps, FirstWithQuotientIsTheFirst) {
  Rng rng(1);
  for (int i = 0; i < kScales; ++i) {
    float scale = random_scale(rng), half = static_cast<float>(rng.integer(0, 255)) + 0.5f;
    float x = first_with_quotient(half, scale);
    EXPECT_GE(x / scale, half);
    EXPECT_LT(std::nextafter(x, 0.0f) / scale, half);
  }
}

TEST(FloatSteps, InverseRoundsAsTheQuotientDoes) {
  Rng rng(2);
  int found = 0;
  for (int i = 0; i < kScales; ++i) {
    float scale = random_scale(rng);
    std::optional<ScaleInverse> inverse = inverse_of(scale);
    if (!inverse) continue;
    ++found;
    for (float x : floats_around_steps(scale)) {
      if (!std::isfinite(x) || std::abs(x) < 1e-30f) continue;
      float small = x * inverse->low;
      ASSERT_EQ(nibble_quantize_f32_s8_round(std::fma(x, inverse->high, small)),
                nibble_quantize_f32_s8_round(x / scale))
          << x << " / " << scale;
    }
  }
  EXPECT_GT(found, kScales * 9 / 10);
}

TEST(FloatSteps, BitsRoundAsTheQuotientDoes) {
  Rng rng(3);
  for (int i = 0; i < kScales; ++i) {
    const float scale = random_scale(rng);
    const auto zero = static_cast<int32_t>(rng.integer(-128, 127));
    const int32_t low = i % 3 ? -128 : zero;
    const std::vector<float> floats = floats_around_steps(scale);
    const auto len = static_cast<int64_t>(floats.size());
    KernelRequest request;
    request.family = "quantize_f32_s8";
    request.fields = {{"len", len},
                      {"scale", std::bit_cast<int32_t>(scale)},
                      {"out_zero", zero},
                      {"act_min", low},
                      {"act_max", 127}};
    std::vector<KernelVariant> variants = generate_quantize_f32_s8_bits(LayerView(request), {});
    ASSERT_EQ(variants.size(), 1u);
    const std::vector<uint8_t>& bytes = variants[0].packed.at(0).bytes;
    std::vector<uint32_t> steps(bytes.size() / sizeof(uint32_t));
    std::memcpy(steps.data(), bytes.data(), bytes.size());
    auto number = [&](size_t index) { return static_cast<int32_t>(variants[0].numbers.at(index)); };
    std::vector<int8_t> found(floats.size());
    nibble_quantize_f32_s8_bits(floats.data(), found.data(), steps.data(), number(0), number(1),
                                number(2), number(3), number(4), number(5), number(6));
    for (size_t k = 0; k < floats.size(); ++k)
      ASSERT_EQ(found[k], nibble_quantize_f32_s8_elem(floats[k], scale, zero, low, 127))
          << floats[k] << " / " << scale;
  }
}

}  // namespace
}  // namespace nibble
