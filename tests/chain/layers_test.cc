// Random layers of each kernel through the whole chain on each core: many layers in one graph, each
// with an input and an output of its own, so that one firmware runs them all. By default a few per
// kernel and core; NIBBLE_RANDOM_LAYERS=2000 asks for as many (doc/testing.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "support/element_layer.h"
#include "support/move_layer.h"
#include "support/overlapping_plan.h"
#include "support/weight_layer.h"
#include "support/wide_layer.h"

namespace nibble {
namespace {

constexpr int kLayersPerGraph = 50;

int layers_wanted() {
  const char* wanted = std::getenv("NIBBLE_RANDOM_LAYERS");
  return wanted ? std::max(1, std::atoi(wanted)) : kLayersPerGraph;
}

// Adds a graph of one layer to `all`, under names of its own.
void add_layer(const Graph& layer, int index, Graph& all) {
  const Node& node = layer.nodes.at(0);
  auto name = [&](const std::string& what) { return "l" + std::to_string(index) + "_" + what; };
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    ValueId id = node.inputs[i];
    std::string operand = name("operand" + std::to_string(i));
    if (id == kNoValue)
      inputs.push_back(id);
    else if (layer.is_constant(id))
      inputs.push_back(append_constant(all, operand, *layer.value(id).constant));
    else
      inputs.push_back(append_input(all, operand, layer.type(id)));
  }
  Result<ValueId> out =
      append_node(all, node.op, name("node"), inputs, layer.type(node.outputs[0]).quant,
                  layer.type(node.outputs[0]).dtype);
  NIBBLE_CHECK(out.ok(), "{}", out.error().message);
  all.outputs.push_back({*out, {}});
}

using Draw = std::function<Result<Layer>(Rng&)>;

struct LayerFamily {
  std::string name;
  Draw draw;
};

void PrintTo(const LayerFamily& family, std::ostream* out) { *out << family.name; }

Graph draw_layers(const LayerFamily& family, int count, uint64_t seed, Rounding rounding) {
  Rng rng(seed);
  Graph all;
  all.name = family.name;
  all.rounding = rounding;
  for (int drawn = 0; drawn < count;) {
    Result<Layer> layer = family.draw(rng);
    if (!layer.ok() || layer->graph.rounding != rounding) continue;
    add_layer(layer->graph, drawn++, all);
  }
  return all;
}

class ChainLayers : public testing::TestWithParam<std::tuple<LayerFamily, ChainCore>> {};

TEST_P(ChainLayers, RandomLayersHold) {
  const auto& [family, core] = GetParam();
  NIBBLE_NEED_CORE(core);
  ChainOptions options;
  options.targets = chain_targets(core);
  options.target_samples = 2;
  // What a call says of its moments is tried at its limit.
  options.planner = overlapping_plan;
  for (int done = 0, seed = 1; done < layers_wanted(); ++seed) {
    // Two in three use any implementation of each layer, so that all of them have their turn.
    options.draw_seed = seed % 3 == 0 ? 0 : static_cast<uint64_t>(seed);
    int count = std::min(kLayersPerGraph, layers_wanted() - done);
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

std::vector<ChainCore> all_cores() {
  std::vector<ChainCore> cores = other_cores();
  cores.push_back(cortex_m4());
  return cores;
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

INSTANTIATE_TEST_SUITE_P(
    Families, ChainLayers,
    testing::Combine(
        testing::Values(
            LayerFamily{"conv2d", random_conv2d},
            LayerFamily{"depthwise_conv2d", random_depthwise_conv2d},
            LayerFamily{"depthwise_columns", random_depthwise_columns},
            LayerFamily{"dense", random_dense}, LayerFamily{"wide", random_wide_layer},
            LayerFamily{"sum", random_sum}, LayerFamily{"avg_pool2d", random_avg_pool2d},
            LayerFamily{"max_pool2d", random_max_pool2d}, LayerFamily{"mean", random_mean},
            LayerFamily{"softmax", random_softmax}, LayerFamily{"quantize", random_quantize},
            LayerFamily{"unary", random_unary}, LayerFamily{"mul", random_mul},
            LayerFamily{"broadcast_sum", random_broadcast_sum},
            LayerFamily{"conv2d_s16", random_conv2d_s16},
            LayerFamily{"depthwise_conv2d_s16", random_depthwise_conv2d_s16},
            LayerFamily{"dense_s16", random_dense_s16}, LayerFamily{"sum_s16", random_sum_s16},
            LayerFamily{"mul_s16", random_mul_s16},
            LayerFamily{"mul_broadcast_s16", random_broadcast_s16<Mul>},
            LayerFamily{"add_broadcast_s16", random_broadcast_s16<Add>},
            LayerFamily{"mean_s16", random_mean_s16},
            LayerFamily{"max_pool2d_s16", random_pool_s16<MaxPool2d>},
            LayerFamily{"avg_pool2d_s16", random_pool_s16<AvgPool2d>},
            LayerFamily{"pad", random_pad}, LayerFamily{"resize_nearest", random_resize_nearest},
            LayerFamily{"transpose", random_transpose}, LayerFamily{"slice", random_slice},
            LayerFamily{"concat", random_concat}, LayerFamily{"softmax_s16", random_softmax_s16},
            LayerFamily{"leaky_relu_s16", random_leaky_relu_s16},
            LayerFamily{"clamp_s16", random_clamp_s16},
            LayerFamily{"requantize", random_requantize},
            LayerFamily{"quantize_s16", random_quantize_s16},
            LayerFamily{"dequantize", random_dequantize}),
        testing::ValuesIn(all_cores())),
    test_name);

}  // namespace
}  // namespace nibble
