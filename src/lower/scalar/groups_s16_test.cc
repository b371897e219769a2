// Which stretches of a window 32 bits hold, and which layers take the short form.
#include "lower/scalar/groups_s16.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/rng.h"
#include "common/requant.h"
#include "common/rescale_s16.h"

namespace nibble {
namespace {

KernelRequest dense_request(const std::vector<int8_t>& filter, int64_t bias, int8_t exponent) {
  KernelRequest request;
  request.family = "dense_s16s8";
  auto len = static_cast<int64_t>(filter.size());
  request.fields = {{"rows", 1},         {"in_len", len},    {"out_len", 1},
                    {"act_min", -32768}, {"act_max", 32767}, {"rounding", NIBBLE_ROUNDING_REDUCED}};
  request.constants = {
      {"filter", Tensor::of<int8_t>({1, len}, DType::kS8, filter)},
      {"bias", Tensor::of<int64_t>({1}, DType::kS64, std::vector<int64_t>{bias})},
      {"multiplier", Tensor::of<int32_t>({1}, DType::kS32, std::vector<int32_t>{20000})},
      {"exponent", Tensor::of<int8_t>({1}, DType::kS8, std::vector<int8_t>{exponent})}};
  return request;
}

GroupsLayer layer_of(const KernelRequest& request) {
  return GroupsLayer::of(LayerView(request)).value();
}

TEST(GroupsS16, SmallWindowsAreOneSegment) {
  KernelRequest request = dense_request(std::vector<int8_t>(10, 127), 1000, -3);
  GroupsLayer layer = layer_of(request);
  EXPECT_EQ(layer.len(4), 12);
  EXPECT_EQ(layer.segment(4, false), 12);
  EXPECT_EQ(layer.segment(4, true), 12);
  EXPECT_TRUE(layer.is_short());
  EXPECT_EQ(layer.doubled(0), 20000u << 14);
}

// 516 products of -128 * -32768 are beyond 32 bits, 511 are not.
TEST(GroupsS16, LongWindowsAreCutWhereTheSumMayLeave32Bits) {
  KernelRequest request = dense_request(std::vector<int8_t>(1200, -128), 0, -3);
  GroupsLayer layer = layer_of(request);
  EXPECT_EQ(layer.segment(4, false), 508);
  EXPECT_EQ(layer.segment(4, true), 0);
  // Only the middle is heavy: the stretch that holds it is what counts.
  std::vector<int8_t> filter(1200, 1);
  for (size_t i = 300; i < 900; ++i) filter[i] = -128;
  KernelRequest uneven = dense_request(filter, 0, -3);
  int segment = layer_of(uneven).segment(4, false);
  ASSERT_GT(segment, 0);
  EXPECT_EQ(segment % 4, 0);
  for (size_t first = 0; first < filter.size(); first += static_cast<size_t>(segment)) {
    int64_t sum = 0;
    for (size_t i = first; i < std::min(filter.size(), first + static_cast<size_t>(segment)); ++i)
      sum += std::abs(int64_t{filter[i]}) * 32768;
    EXPECT_LE(sum, INT32_MAX);
  }
}

TEST(GroupsS16, BiasCountsForTheShortForm) {
  KernelRequest request = dense_request(std::vector<int8_t>(8, 1), int64_t{1} << 40, -3);
  EXPECT_EQ(layer_of(request).segment(4, true), 0);
  EXPECT_EQ(layer_of(request).segment(4, false), 8);
}

TEST(GroupsS16, ExponentsOutOfReachTakeTheLongForm) {
  for (int exponent : {0, 3, -17, -31}) {
    KernelRequest request = dense_request({1, 2, 3, 4}, 0, static_cast<int8_t>(exponent));
    EXPECT_FALSE(layer_of(request).is_short()) << exponent;
  }
  for (int exponent : {-1, -16}) {
    KernelRequest request = dense_request({1, 2, 3, 4}, 0, static_cast<int8_t>(exponent));
    EXPECT_TRUE(layer_of(request).is_short()) << exponent;
    EXPECT_EQ(layer_of(request).doubled(0) % 2, 0u) << exponent;
  }
}

TEST(RescaleS16, IsRequantWithinItsReach) {
  Rng rng(3);
  for (int i = 0; i < 200'000; ++i) {
    int32_t reach = 1 << rng.integer(2, 30);
    auto x = static_cast<int32_t>(rng.next() % 8 ? rng.integer(-reach, reach) : reach);
    auto multiplier =
        static_cast<int32_t>(rng.next() % 4 ? rng.integer(1 << 30, INT32_MAX) : int64_t{1} << 30);
    auto shift = static_cast<int32_t>(rng.integer(0, 30));
    for (int rounding : {NIBBLE_ROUNDING_TFLITE, NIBBLE_ROUNDING_SINGLE})
      ASSERT_EQ(nibble_rescale_s16(x, multiplier, shift, rounding),
                nibble_requant(x, multiplier, -shift, rounding))
          << x << " * " << multiplier << " >> " << shift << ", rounding " << rounding;
  }
}

}  // namespace
}  // namespace nibble
