// Number formats against values worked out by hand from their specifications, and what holds for
// all of them.
#include "quantize/formats/number_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace nibble {
namespace {

using testing::ElementsAre;

std::vector<float> rounded(std::string_view name, std::vector<float> values, double max_abs = 0) {
  Tensor tensor = Tensor::of_floats({static_cast<int64_t>(values.size())}, values);
  round_to_format(*find_number_format(name), tensor,
                  max_abs > 0 ? max_abs : largest_magnitude(tensor));
  auto elems = tensor.data<float>();
  return {elems.begin(), elems.end()};
}

TEST(NumberFormat, HalfPrecision) {
  // 11 bits of mantissa, ties to even, 65504 the largest, 2^-24 the smallest.
  EXPECT_THAT(rounded("fp16", {1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 65520, -1e9f, 0x1p-24f, 0x1p-25f,
                               0x3p-25f}),
              ElementsAre(1.0f, 1.0f + 0x1p-9f, 65504, -65504, 0x1p-24f, 0, 0x1p-23f));
}

TEST(NumberFormat, Bfloat16) {
  EXPECT_THAT(rounded("bf16", {1.0f + 0x1p-8f, 1.0f + 0x3p-8f, 3.14159265f, 3.4e38f}),
              ElementsAre(1.0f, 1.0f + 0x1p-6f, 3.140625f, 0x1.fep127f));
}

TEST(NumberFormat, Float8) {
  EXPECT_THAT(rounded("fp8-e4m3", {17, 19, 448, 460, 1000, 0x1p-9f, 0x1p-10f, 0x3p-10f, -0.3f}),
              ElementsAre(16, 20, 448, 448, 448, 0x1p-9f, 0, 0x1p-8f, -0.3125f));
  EXPECT_THAT(rounded("fp8-e5m2", {9, 11, 57344, 60000, 1e9f, 0x1p-16f, 0x1p-17f}),
              ElementsAre(8, 12, 57344, 57344, 57344, 0x1p-16f, 0));
}

TEST(NumberFormat, ScaledFloat8UsesTheWholeRange) {
  // 0.0035 = 448 * 2^-17 * 1.024: one binade down, so that it fits.
  EXPECT_THAT(rounded("fp8-e4m3-scaled", {448 * 0x1p-17f, 0x1p-15f}),
              ElementsAre(448 * 0x1p-17f, 0x1p-15f));
  EXPECT_THAT(rounded("fp8-e4m3-scaled", {480 * 0x1p-17f}), ElementsAre(480 * 0x1p-17f));
}

TEST(NumberFormat, BlocksShareAnExponent) {
  // The largest is 1.5: steps of 2^-6.
  EXPECT_THAT(rounded("bfp8", {1.5f, 0x1p-6f, 0x1.8p-7f, 0x1p-8f}),
              ElementsAre(1.5f, 0x1p-6f, 0x1p-6f, 0));
  // 127 / 64 is the largest mantissa.
  EXPECT_THAT(rounded("mxint8", {1.999f, -1.999f}), ElementsAre(127.0f / 64, -127.0f / 64));
  // A block of 16 ends: what follows has its own exponent.
  std::vector<float> values(17, 0);
  values[0] = 100;
  values[16] = 0.001f;
  std::vector<float> result = rounded("bfp4", values);
  EXPECT_EQ(result[0], 96);
  EXPECT_NEAR(result[16], 0.001f, 0.0002f);
}

TEST(NumberFormat, MicroscalingFloats) {
  // mxfp4: 0, 0.5, 1, 1.5, 2, 3, 4, 6, times 2^(floor(log2 24) - 2) = 4.
  EXPECT_THAT(rounded("mxfp4", {24, 5, 7, 9, 10, 14, 1, 1.5f, 20}),
              ElementsAre(24, 4, 8, 8, 8, 16, 0, 2, 16));
  // Above the largest element it saturates: 7.9 has the same scale as 4.
  EXPECT_THAT(rounded("mxfp4", {7.9f}), ElementsAre(6));
  EXPECT_THAT(rounded("mxfp6-e2m3", {7.9f, 0.125f, 0.0625f}), ElementsAre(7.5f, 0.125f, 0));
  EXPECT_THAT(rounded("mxfp6-e3m2", {28, 27, 0.0625f}), ElementsAre(28, 28, 0.0625f));
}

TEST(NumberFormat, Posits) {
  // es 0: 2^k (1 + f); between 1 and 2 five bits of fraction, from 32 on none.
  EXPECT_EQ(round_posit(1 + 1.0 / 32, 8, 0), 1 + 1.0 / 32);
  EXPECT_EQ(round_posit(1 + 1.0 / 64, 8, 0), 1);  // a tie: the even encoding
  EXPECT_EQ(round_posit(1 + 3.0 / 64, 8, 0), 1 + 2.0 / 32);
  EXPECT_EQ(round_posit(47, 8, 0), 32);
  EXPECT_EQ(round_posit(49, 8, 0), 64);
  EXPECT_EQ(round_posit(1e6, 8, 0), 64);
  EXPECT_EQ(round_posit(-1e-9, 8, 0), -1.0 / 64);  // never zero
  // es 2: from 2^20 to 2^24 there is no encoding; the border is 2^22.
  EXPECT_EQ(round_posit(0x1p22 - 1, 8, 2), 0x1p20);
  EXPECT_EQ(round_posit(0x1p22 + 1, 8, 2), 0x1p24);
  EXPECT_EQ(round_posit(1e30, 8, 1), 4096);
  EXPECT_EQ(round_posit(1e30, 16, 1), 0x1p28);
  EXPECT_EQ(round_posit(1e-30, 16, 1), 0x1p-28);
  EXPECT_EQ(round_posit(0, 8, 2), 0);
}

TEST(NumberFormat, AdaptiveFloat) {
  // 4 bits, 2 of them exponent, the largest 3: 0, 0.375, 0.5, 0.75, 1, 1.5, 2, 3.
  EXPECT_THAT(rounded("adaptivfloat4", {3, 2.4f, 0.6f, 0.2f, 0.18f, -0.4f, 1.3f}),
              ElementsAre(3, 2, 0.5f, 0.375f, 0, -0.375f, 1.5f));
}

TEST(NumberFormat, FixedPoint) {
  // 127 * 2^-7 is the largest below one; one itself needs a step of 2^-6.
  EXPECT_THAT(rounded("q8", {0.99f, -0.5f, 0x1p-8f, 0x3p-8f}),
              ElementsAre(127.0f / 128, -0.5f, 0, 0x1p-6f));
  EXPECT_THAT(rounded("q8", {1.0f, 0x1p-7f}), ElementsAre(1.0f, 0));
}

class EveryNumberFormat : public testing::TestWithParam<NumberFormatInfo> {};

// Rounding is a projection onto a symmetric set that keeps order, zero and what is not a number.
TEST_P(EveryNumberFormat, RoundsOntoItsValues) {
  const std::string name(GetParam().name);
  Rng rng(3);
  std::vector<float> values = {0.0f};
  for (int i = 0; i < 500; ++i)
    values.push_back(static_cast<float>(rng.normal() * std::exp(2 * rng.normal())));
  const double max_abs = 16;
  for (float& value : values) value = std::clamp(value, -15.9f, 15.9f);
  if (GetParam().block == 0) std::ranges::sort(values);
  std::vector<float> once = rounded(name, values, max_abs);
  EXPECT_EQ(rounded(name, once, max_abs), once);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 0) {
      EXPECT_EQ(once[i], 0);
    }
    if (GetParam().block == 0 && i > 0) {
      EXPECT_LE(once[i - 1], once[i]) << i;
    }
    // Within the format's largest relative or absolute step.
    EXPECT_NEAR(once[i], values[i], std::abs(values[i]) * 0.5 + 4) << i;
  }
  std::vector<float> negated = values;
  for (float& value : negated) value = -value;
  std::vector<float> opposite = rounded(name, negated, max_abs);
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(opposite[i], -once[i]) << i;
  EXPECT_TRUE(std::isnan(rounded(name, {NAN, 1.0f}, max_abs)[0]));
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryNumberFormat, testing::ValuesIn(number_formats()),
                         [](const auto& instance) {
                           std::string name(instance.param.name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(NumberFormat, UnknownNamesAreRefusedWithTheKnownOnes) {
  Result<NumberFormat> found = find_number_format("fp7");
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.error().message,
              testing::AllOf(testing::HasSubstr("'fp7'"), testing::HasSubstr("fp8-e4m3")));
}

}  // namespace
}  // namespace nibble
