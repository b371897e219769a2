// Random layers of each kernel through the whole chain on each core: many layers in one graph, each
// with an input and an output of its own, so that one firmware runs them all. By default a few per
// kernel and core; NIBBLE_RANDOM_LAYERS=2000 asks for as many (doc/testing.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "chain/random_layers.h"
#include "support/element_layer.h"
#include "support/overlapping_plan.h"
#include "support/weight_layer.h"

namespace nibble {
namespace {

constexpr int kLayersPerGraph = 50;

class ChainLayers : public testing::TestWithParam<std::tuple<LayerFamily, ChainCore>> {};

TEST_P(ChainLayers, RandomLayersHold) {
  const auto& [family, core] = GetParam();
  NIBBLE_NEED_CORE(core);
  ChainOptions options;
  options.targets = chain_targets(core);
  options.target_samples = 2;
  // What a call says of its moments is tried at its limit.
  options.planner = overlapping_plan;
  const int wanted = random_layers_wanted(kLayersPerGraph);
  for (int done = 0, seed = 1; done < wanted; ++seed) {
    // Two in three use any implementation of each layer, so that all of them have their turn.
    options.draw_seed = seed % 3 == 0 ? 0 : static_cast<uint64_t>(seed);
    int count = std::min(family.per_graph, wanted - done);
    // One graph in three uses the single rounding.
    Rounding rounding = seed % 3 == 2 ? Rounding::kSingle : Rounding::kTflite;
    Graph graph = draw_layers(family, count, static_cast<uint64_t>(seed), rounding);
    Result<ChainReport> report =
        check_chain(graph, random_samples(graph, 2, static_cast<uint64_t>(seed)), options);
    ASSERT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
    done += count;
  }
}

// A kernel that says it had read all before it wrote anything.
Result<MemoryPlan> plan_by_false_moments(Program& program) {
  for (KernelCall& call : program.calls)
    call.progress = {{0, program.buffers[static_cast<size_t>(call.operands.front().buffer)].bytes}};
  return overlapping_plan(program);
}

TEST(ChainMoments, FalseMomentsAreFound) {
  Graph graph = draw_layers({"conv2d", random_conv2d}, kLayersPerGraph, 7, Rounding::kTflite);
  ChainOptions options;
  options.planner = plan_by_false_moments;
  Result<ChainReport> report = check_chain(graph, random_samples(graph, 2, 7), options);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, testing::HasSubstr("conv2d"));
}

// Columns of taps so far apart that the patches of a tile's second band are out of the reach of one
// load: seldom drawn, and an implementation of its own.
TEST(ChainDilated, DepthwiseOnHelium) {
  const ChainCore& core =
      *std::ranges::find(other_cores(), std::string("cortex-m55"), &ChainCore::core);
  NIBBLE_NEED_CORE(core);
  auto far_apart = [](Rng& rng) {
    for (;;) {
      Result<Layer> layer = random_depthwise_conv2d(rng);
      if (!layer.ok()) continue;
      const Window& window = std::get<DepthwiseConv2d>(layer->graph.nodes.at(0).op).window;
      if (window.dilation_w == 3 && window.dilation_h == 1 && window.stride_h == 1) return layer;
    }
  };
  ChainOptions options;
  options.targets = chain_targets(core);
  options.planner = overlapping_plan;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    options.draw_seed = seed;
    Graph graph = draw_layers({"dilated", far_apart}, kLayersPerGraph, seed, Rounding::kTflite);
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 2, seed), options);
    ASSERT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
  }
}

class ChainFloats : public testing::TestWithParam<ChainCore> {};

// What is not a number, infinities, the largest and least floats, and halves of the scale.
TEST_P(ChainFloats, SpecialFloatsAreQuantizedAlike) {
  NIBBLE_NEED_CORE(GetParam());
  ChainOptions options;
  options.targets = chain_targets(GetParam());
  options.draw_seed = 1;
  Graph graph = draw_layers({"quantize", random_quantize}, kLayersPerGraph, 3, Rounding::kTflite);
  std::vector<std::vector<Tensor>> samples = random_samples(graph, 2, 3);
  Rng rng(5);
  for (std::vector<Tensor>& sample : samples)
    for (size_t i = 0; i < sample.size(); ++i) {
      float scale = graph.type(graph.outputs[i].value).quant->scale[0];
      const float kSpecial[] = {NAN,      INFINITY, -INFINITY, FLT_MAX,
                                -FLT_MAX, FLT_MIN,  1e-42f,    -0.0f};
      for (float& elem : sample[i].mutable_data<float>()) {
        float half = (static_cast<float>(rng.integer(-256, 255)) + 0.5f) * scale;
        const float kHalves[] = {half, std::nextafter(half, 0.0f), std::nextafter(half, 1e30f)};
        elem = rng.next() % 3 ? kHalves[rng.next() % 3] : kSpecial[rng.next() % 8];
      }
    }
  Result<ChainReport> report = check_chain(graph, samples, options);
  ASSERT_TRUE(report.ok()) << report.error().message;
}

std::string test_name(const testing::TestParamInfo<ChainLayers::ParamType>& info) {
  const auto& [family, core] = info.param;
  std::string name = family.name + "_on_" + core.core;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

std::string core_name(const testing::TestParamInfo<ChainCore>& info) {
  std::string name = info.param.core;
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cores, ChainFloats, testing::ValuesIn(all_cores()), core_name);

INSTANTIATE_TEST_SUITE_P(Families, ChainLayers,
                         testing::Combine(testing::ValuesIn(layer_families()),
                                          testing::ValuesIn(all_cores())),
                         test_name);

}  // namespace
}  // namespace nibble
