// The choice among implementations: what is shared, what falls back, what the seed of tests does.
#include "lower/variant.h"

#include <gtest/gtest.h>

#include <set>

namespace nibble {
namespace {

// A 1x1 convolution of a 12x12 image; `act_min` at the output's zero point (-128) is a fused relu.
KernelRequest pointwise(int64_t in_c, int64_t out_c, int64_t out_zero, int8_t exponent = -7) {
  auto channels = static_cast<size_t>(out_c);
  KernelRequest request;
  request.family = "conv2d_s8";
  request.fields = {{"batches", 1},    {"in_h", 12},           {"in_w", 12},      {"in_c", in_c},
                    {"out_h", 12},     {"out_w", 12},          {"out_c", out_c},  {"k_h", 1},
                    {"k_w", 1},        {"groups", 1},          {"stride_h", 1},   {"stride_w", 1},
                    {"dilation_h", 1}, {"dilation_w", 1},      {"pad_top", 0},    {"pad_left", 0},
                    {"in_zero", -3},   {"out_zero", out_zero}, {"act_min", -128}, {"act_max", 127},
                    {"rounding", 0}};
  std::vector<int8_t> filter(channels * static_cast<size_t>(in_c), 5);
  request.constants = {
      {"filter", Tensor::of<int8_t>({out_c, 1, 1, in_c}, DType::kS8, filter)},
      {"multiplier",
       Tensor::of<int32_t>({out_c}, DType::kS32, std::vector<int32_t>(channels, 1'500'000'000))},
      {"exponent",
       Tensor::of<int8_t>({out_c}, DType::kS8, std::vector<int8_t>(channels, exponent))}};
  request.macs = 144 * in_c * out_c;
  return request;
}

LowerOptions smlad(Optimize optimize) {
  return {{Isa::kThumb2, Isa::kDsp}, "cortex-m4", optimize, 0};
}

std::set<std::string> functions(const std::vector<KernelRequest>& requests,
                                const LowerOptions& options) {
  std::set<std::string> names;
  for (const auto& variant : choose_variants(requests, options))
    if (variant) names.insert(variant->function.name);
  return names;
}

TEST(Choice, SmallLayersShareAFunctionAndOnlySpeedGivesEachItsOwn) {
  std::vector<KernelRequest> requests = {pointwise(128, 128, -128)};
  for (int64_t channels = 21; channels < 33; ++channels)
    requests.push_back(pointwise(channels, 5, channels % 2 ? -128 : 4));
  EXPECT_LE(functions(requests, smlad(Optimize::kBalanced)).size(), 3u);
  EXPECT_EQ(functions(requests, smlad(Optimize::kSize)).size(), 1u);
  EXPECT_GT(functions(requests, smlad(Optimize::kSpeed)).size(), 6u);
}

TEST(Choice, WhatNoGeneratorCoversStaysPortable) {
  EXPECT_TRUE(functions({pointwise(16, 16, 0, 3)}, smlad(Optimize::kSpeed)).empty());
  EXPECT_TRUE(functions({pointwise(16, 16, 0)}, LowerOptions{}).empty());
}

TEST(Choice, ASeedDrawsAmongAll) {
  std::set<std::string> drawn;
  LowerOptions options = smlad(Optimize::kBalanced);
  for (options.draw_seed = 1; options.draw_seed < 40; ++options.draw_seed)
    drawn.merge(functions({pointwise(16, 16, -128)}, options));
  EXPECT_GT(drawn.size(), 2u);
}

}  // namespace
}  // namespace nibble
