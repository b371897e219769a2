// The last link of the chain on every other core that nibble can emulate: all integer operators in
// one network, random networks, the shipped keyword spotter. (The Cortex-M4 runs all of the chain's
// tests.)
#include <fmt/format.h>
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

// What decides which code a part gets and what executes it here.
std::string code_of(const Target& target) {
  std::string text = target.machine;
  for (Isa isa : target.isa) text += fmt::format(" {}", isa_name(isa));
  return text + " " + (target.compile_flags.empty() ? "" : target.compile_flags[0]);
}

// Of a core without atomic instructions: its library has none either.
const ChainCore& rv32imc() {
  static const ChainCore core = {
      "rv32imc", "esp32c3", {"riscv64-unknown-elf-gcc", "qemu-system-riscv32"}};
  return core;
}

TEST(ChainCores, EveryCoreOfTheCatalogueIsTested) {
  std::set<std::string> tested = {code_of(*find_target(cortex_m4().target)),
                                  code_of(*find_target(rv32imc().target))};
  for (const ChainCore& core : other_cores()) tested.insert(code_of(*find_target(core.target)));
  Result<std::vector<Target>> targets = all_targets();
  ASSERT_TRUE(targets.ok()) << targets.error().message;
  for (const Target& target : *targets)
    EXPECT_TRUE(target.machine.empty() || tested.contains(code_of(target)))
        << target.name << " gets code for " << code_of(target)
        << ", of which chain_targets.h has no core";
  for (const ChainCore& core : other_cores()) EXPECT_EQ(find_target(core.target)->core, core.core);
}

void all_operators_in_both_roundings(const ChainCore& core) {
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    Variants variants("all_operators", rounding);
    for (const auto& [name, add_to] : all_variants()) add_to(variants);
    const Graph& graph = variants.graph();
    Status verified = verify_graph(graph, VerifyLevel::kImported);
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 3, 7), on_core(core, 3));
    EXPECT_TRUE(report.ok()) << report.error().message;
  }
}

class ChainOnCore : public testing::TestWithParam<ChainCore> {};

TEST_P(ChainOnCore, AllOperatorsInBothRoundings) {
  NIBBLE_NEED_CORE(GetParam());
  all_operators_in_both_roundings(GetParam());
}

TEST(ChainCores, AllOperatorsWithoutAtomicInstructions) {
  NIBBLE_NEED_CORE(rv32imc());
  all_operators_in_both_roundings(rv32imc());
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
