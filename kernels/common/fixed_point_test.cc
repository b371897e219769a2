// The fixed-point functions against exp and division in long double. Tolerances are a little above
// what the steps' roundings add up to.
#include "common/fixed_point.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace nibble {
namespace {

long double q31(int32_t x) { return static_cast<long double>(x) / 0x1p31L; }

TEST(FixedPoint, ExpOfNegative) {
  Rng rng(3);
  for (int bits = 1; bits <= 5; ++bits) {
    long double worst = 0;
    for (int i = 0; i < 200000; ++i) {
      auto a = -static_cast<int32_t>(rng.next() >> (1 + rng.next() % 24));
      long double x = static_cast<long double>(a) / std::ldexp(1.0L, 31 - bits);
      worst = std::max(worst, std::abs(q31(nibble_exp_of_negative(a, bits)) - std::exp(x)));
    }
    // The Taylor series leaves out (1/8)^5 / 5! = 2.5e-7 at the ends of its interval.
    EXPECT_LT(worst, 3e-7L) << bits << " integer bits";
  }
  EXPECT_EQ(nibble_exp_of_negative(0, 5), INT32_MAX);
  EXPECT_EQ(nibble_exp_of_negative(INT32_MIN, 5), 0) << "exp(-32) is below 2^-31";
  EXPECT_NEAR(nibble_exp_of_negative(INT32_MIN, 4), std::exp(-16.0) * 0x1p31, 2);
}

TEST(FixedPoint, PowersOfTheExponential) {
  // The seven constants: exp(-2^k) comes out of arguments with a single bit (and r = -1/4 from the
  // series).
  for (int k = -1; k <= 4; ++k) {
    auto a = -static_cast<int32_t>(std::ldexp(1.0, 26 + k));
    EXPECT_NEAR(nibble_exp_of_negative(a, 5), std::exp(-std::ldexp(1.0, k)) * 0x1p31, 600) << k;
  }
}

TEST(FixedPoint, Reciprocals) {
  Rng rng(4);
  // Three Newton steps leave (1/17)^8; the rest are roundings in Q2.29, 2e-9 each.
  for (int i = 0; i < 200000; ++i) {
    auto a = static_cast<int32_t>(rng.next() >> 1);
    if (i < 1000) a = i;  // the saturating end: 1 / (1 + 0)
    if (i >= 1000 && i < 2000) a = INT32_MAX - i;
    long double x = q31(a);
    ASSERT_NEAR(q31(nibble_one_over_one_plus(a)), 1 / (1 + x), 5e-9L) << a;
    ASSERT_NEAR(q31(nibble_one_minus_over_one_plus(a)), (1 - x) / (1 + x), 1e-8L) << a;
  }
}

TEST(FixedPoint, SaturatingShiftLeft) {
  EXPECT_EQ(nibble_saturating_shift_left(3, 4), 48);
  EXPECT_EQ(nibble_saturating_shift_left(-3, 4), -48);
  EXPECT_EQ(nibble_saturating_shift_left((1 << 29) - 1, 2), ((1 << 29) - 1) * 4);
  EXPECT_EQ(nibble_saturating_shift_left(1 << 29, 2), INT32_MAX);
  EXPECT_EQ(nibble_saturating_shift_left(-(1 << 29), 2), INT32_MIN);
  EXPECT_EQ(nibble_saturating_shift_left(INT32_MIN, 1), INT32_MIN);
}

}  // namespace
}  // namespace nibble
