// The choice among the implementations of a layer is by a cost, predicted. Here it is held to what
// is counted: the layers of a kernel together execute no more than by the reference kernel, and a
// layer alone at most twice as much. By default a few layers per kernel and core;
// NIBBLE_RANDOM_LAYERS asks for more.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "chain/random_layers.h"
#include "emit/emit.h"
#include "lower/lower.h"
#include "plan/plan.h"
#include "run/run.h"

namespace nibble {
namespace {

int layers_per_family() {
  const char* wanted = std::getenv("NIBBLE_RANDOM_LAYERS");
  return wanted ? std::max(1, std::atoi(wanted)) : 3;
}
// Of a layer, and of all of a kernel. A few hundred instructions are nothing; a call has as many.
constexpr double kMostRatio = 2, kMostOfAll = 1.05;
constexpr int64_t kMostExcess = 2000, kMostExcessOfAll = 150;

class ChainChoice : public testing::TestWithParam<ChainCore> {};

// By name: their order is the plan's.
Result<std::map<std::string, LayerCost>> layer_costs(const Graph& graph, const Target& target,
                                                     bool reference_only) {
  LowerOptions options = lower_options(target, Optimize::kSpeed);
  options.reference_only = reference_only;
  NIBBLE_ASSIGN(Program program, lower(graph, options));
  NIBBLE_ASSIGN(MemoryPlan plan, plan_in_best_order(program));
  NIBBLE_ASSIGN(Library library, emit(program, plan));
  NIBBLE_ASSIGN(RunResult result,
                run_on_target(library, program, target, random_samples(graph, 1, 5)));
  std::map<std::string, LayerCost> costs;
  for (LayerCost& layer : result.layers) costs[layer.name] = std::move(layer);
  return costs;
}

TEST_P(ChainChoice, NoLayerIsSlowerThanTheReferenceOnTarget) {
  NIBBLE_NEED_CORE(GetParam());
  Result<Target> target = find_target(GetParam().target);
  ASSERT_TRUE(target.ok());
  for (const LayerFamily& family : layer_families()) {
    Graph graph = draw_layers(family, layers_per_family(), 11, Rounding::kTflite);
    Result<std::map<std::string, LayerCost>> chosen = layer_costs(graph, *target, false);
    ASSERT_TRUE(chosen.ok()) << chosen.error().message;
    Result<std::map<std::string, LayerCost>> reference = layer_costs(graph, *target, true);
    ASSERT_TRUE(reference.ok()) << reference.error().message;
    double all_ours = 0, all_plain = 0;
    for (const auto& [name, ours] : *chosen) {
      const LayerCost& plain = reference->at(name);
      all_ours += static_cast<double>(ours.instructions);
      all_plain += static_cast<double>(plain.instructions + kMostExcessOfAll);
      EXPECT_LE(static_cast<double>(ours.instructions),
                kMostRatio * static_cast<double>(plain.instructions) + kMostExcess)
          << family.name << " " << name << ": " << ours.kernel << ", beside " << plain.kernel;
    }
    EXPECT_LE(all_ours, kMostOfAll * all_plain) << family.name;
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
