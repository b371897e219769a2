// The last link of the chain on every other core that nibble can emulate: all integer operators in
// one network, random networks, the shipped keyword spotter. (The Cortex-M4 runs all of the chain's
// tests.)
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "chain/operator_variants.h"
#include "chain/quantized_models.h"
#include "chain/random_networks.h"
#include "support/test_name.h"
#include "target/target.h"

namespace nibble {
namespace {

// The links on the host are the same for every core, and tested elsewhere.
ChainOptions on_core(const ChainCore& core, size_t samples) {
  ChainOptions options;
  options.sanitized = false;
  options.targets = {core.target};
  options.target_samples = samples;
  return options;
}

TEST(ChainCores, EveryCoreOfTheCatalogueIsTested) {
  std::set<std::string> tested = {cortex_m4().core};
  for (const ChainCore& core : other_cores()) tested.insert(core.core);
  Result<std::vector<Target>> targets = all_targets();
  ASSERT_TRUE(targets.ok()) << targets.error().message;
  for (const Target& target : *targets)
    EXPECT_TRUE(target.machine.empty() || tested.contains(target.core))
        << target.name << " has a " << target.core << ", which chain_targets.h does not list";
  for (const ChainCore& core : other_cores()) EXPECT_EQ(find_target(core.target)->core, core.core);
}

class ChainOnCore : public testing::TestWithParam<ChainCore> {};

TEST_P(ChainOnCore, AllOperatorsInBothRoundings) {
  NIBBLE_NEED_CORE(GetParam());
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    Variants variants("all_operators", rounding);
    for (const auto& [name, add_to] : all_variants()) add_to(variants);
    const Graph& graph = variants.graph();
    Status verified = verify_graph(graph, VerifyLevel::kImported);
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    Result<ChainReport> report =
        check_chain(graph, random_samples(graph, 3, 7), on_core(GetParam(), 3));
    EXPECT_TRUE(report.ok()) << report.error().message;
  }
}

// Other networks on each core.
TEST_P(ChainOnCore, RandomNetworks) {
  NIBBLE_NEED_CORE(GetParam());
  constexpr uint64_t kNetworks = 4;
  auto place = std::ranges::find(other_cores(), GetParam().core, &ChainCore::core);
  uint64_t first = 1000 + kNetworks * static_cast<uint64_t>(place - other_cores().begin());
  for (uint64_t seed = first; seed < first + kNetworks; ++seed) {
    Graph graph = random_integer_graph(seed);
    Result<ChainReport> report =
        check_chain(graph, random_samples(graph, 3, seed), on_core(GetParam(), 3));
    EXPECT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
  }
}

TEST_P(ChainOnCore, ShippedKeywordSpotter) {
  NIBBLE_NEED_CORE(GetParam());
  Result<QuantizedModel> model = shipped_keyword_spotter(2);
  ASSERT_TRUE(model.ok()) << model.error().message;
  Result<ChainReport> report = check_chain(model->graph, model->samples, on_core(GetParam(), 2));
  EXPECT_TRUE(report.ok()) << report.error().message;
}

INSTANTIATE_TEST_SUITE_P(Cores, ChainOnCore, testing::ValuesIn(other_cores()),
                         [](const auto& instance) { return test_name(instance.param.core); });

}  // namespace
}  // namespace nibble
