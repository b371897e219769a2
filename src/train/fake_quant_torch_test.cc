// Integers from real numbers: rounding, and what is beyond the range.
#include <gtest/gtest.h>

#include <cmath>

#include "train/fake_quant.h"

namespace nibble {
namespace {

TensorType type_of(DType dtype, int bits, int32_t q_min, int32_t q_max) {
  return {{4}, dtype, QuantParams{{1.0f}, {0}, -1, bits, q_min, q_max}};
}

std::vector<int64_t> integers(const TensorType& type, const std::vector<float>& values) {
  const Tensor tensor = with_integers(type, torch::tensor(values));
  std::vector<int64_t> result;
  for (int64_t i = 0; i < tensor.size(); ++i) result.push_back(tensor.integer_at(i));
  return result;
}

TEST(WithIntegers, RoundsAndSaturates) {
  using Integers = std::vector<int64_t>;
  EXPECT_EQ(integers(type_of(DType::kS8, 4, -7, 7), {2.5f, -2.5f, 8, -1000}),
            (Integers{3, -3, 7, -7}));
  // 2147483648 as a float; one more in 32 bits would be the least of all biases.
  const TensorType bias = type_of(DType::kS32, 32, INT32_MIN, INT32_MAX);
  EXPECT_EQ(integers(bias, {0x1p31f, -0x1p31f, 3e30f, -INFINITY}),
            (Integers{INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN}));
  EXPECT_EQ(integers(bias, {0x1p30f, -0x1p24f, NAN, 0.4f}), (Integers{1 << 30, -(1 << 24), 0, 0}));
  EXPECT_EQ(
      integers(type_of(DType::kS64, 32, INT32_MIN, INT32_MAX), {0x1p40f, INFINITY, -1e30f, 1}),
      (Integers{int64_t{1} << 40, (int64_t{1} << 46) - 1, -(int64_t{1} << 46), 1}));
}

}  // namespace
}  // namespace nibble
