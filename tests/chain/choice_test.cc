// The choice among the implementations of a layer is by a cost, predicted. Here it is held to what
// is counted: the layers of a kernel together execute no more than by the reference kernel, and a
// layer alone at most twice as much. By default a few layers per kernel and core;
// NIBBLE_RANDOM_LAYERS asks for more.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "chain/random_layers.h"
#include "support/counted_run.h"

namespace nibble {
namespace {

constexpr int kLayersPerFamily = 3;
// Of a layer, and of all of a kernel. A few hundred instructions are nothing; a call has as many.
constexpr double kMostRatio = 2, kMostOfAll = 1.05;
constexpr int64_t kMostExcess = 2000, kMostExcessOfAll = 150;

class ChainChoice : public testing::TestWithParam<ChainCore> {};

// By name: their order is the plan's.
std::map<std::string, LayerCost> by_name(RunResult run) {
  std::map<std::string, LayerCost> costs;
  for (LayerCost& layer : run.layers) costs[layer.name] = std::move(layer);
  return costs;
}

TEST_P(ChainChoice, NoLayerIsSlowerThanTheReferenceOnTarget) {
  NIBBLE_NEED_CORE(GetParam());
  Result<Target> target = find_target(GetParam().target);
  ASSERT_TRUE(target.ok());
  const LowerOptions options = lower_options(*target, Optimize::kSpeed);
  for (const LayerFamily& family : layer_families()) {
    Graph graph =
        draw_layers(family, random_layers_wanted(kLayersPerFamily), 11, Rounding::kTflite);
    const std::vector<std::vector<Tensor>> samples = random_samples(graph, 1, 5);
    Result<RunResult> chosen = run_counted(graph, *target, options, samples);
    ASSERT_TRUE(chosen.ok()) << chosen.error().message;
    Result<RunResult> plain = run_counted(graph, *target, by_reference(options), samples);
    ASSERT_TRUE(plain.ok()) << plain.error().message;
    const std::map<std::string, LayerCost> references = by_name(*std::move(plain));
    double all_ours = 0, all_reference = 0;
    for (const LayerCost& ours : chosen->layers) {
      const LayerCost& reference = references.at(ours.name);
      all_ours += static_cast<double>(ours.instructions);
      all_reference += static_cast<double>(reference.instructions + kMostExcessOfAll);
      EXPECT_LE(static_cast<double>(ours.instructions),
                kMostRatio * static_cast<double>(reference.instructions) + kMostExcess)
          << family.name << " " << ours.name << ": " << ours.kernel << ", beside "
          << reference.kernel;
    }
    EXPECT_LE(all_ours, kMostOfAll * all_reference) << family.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Cores, ChainChoice, testing::ValuesIn(all_cores()),
                         [](const auto& instance) {
                           std::string name = instance.param.core;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace nibble
