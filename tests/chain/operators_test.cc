// The chain for every integer operator, each in several variants and both roundings. An operator
// without a graph here fails the test that lists them.
#include <gtest/gtest.h>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "chain/operator_variants.h"

namespace nibble {
namespace {

TEST(ChainOperators, EveryIntegerOperatorHasItsGraph) {
#define NIBBLE_HAS_VARIANTS(Type, name) \
  EXPECT_TRUE(all_variants().contains(name) || std::string(name) == "batch_norm") << name;
  NIBBLE_OPERATORS(NIBBLE_HAS_VARIANTS)
#undef NIBBLE_HAS_VARIANTS
}

class ChainOperator : public testing::TestWithParam<std::string> {};

TEST_P(ChainOperator, HoldsInBothRoundings) {
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    Variants variants(GetParam(), rounding);
    all_variants().at(GetParam())(variants);
    const Graph& graph = variants.graph();
    Status verified = verify_graph(graph, VerifyLevel::kImported);
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    ChainOptions options;
    options.targets = chain_targets();
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 4, 99), options);
    EXPECT_TRUE(report.ok()) << report.error().message;
  }
  NIBBLE_NEED_CORE(cortex_m4());
}

class ChainWideOperator : public testing::TestWithParam<std::string> {};

TEST_P(ChainWideOperator, HoldsInBothRoundings) {
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    Variants variants(GetParam(), rounding, DType::kS16);
    all_variants().at(GetParam())(variants);
    const Graph& graph = variants.graph();
    Status verified = verify_graph(graph, VerifyLevel::kImported);
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    ChainOptions options;
    options.targets = chain_targets();
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 4, 99), options);
    EXPECT_TRUE(report.ok()) << report.error().message;
  }
  NIBBLE_NEED_CORE(cortex_m4());
}

INSTANTIATE_TEST_SUITE_P(All, ChainWideOperator, testing::ValuesIn(wide_operators()),
                         [](const auto& instance) { return instance.param; });

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, variants] : all_variants()) result.push_back(name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, ChainOperator, testing::ValuesIn(names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace nibble
