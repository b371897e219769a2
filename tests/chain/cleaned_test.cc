// Networks with planted dead channels, cleaned up, through the whole chain: the odd numbers of
// channels that removal leaves, and the first link is the network as it was.
#include <gtest/gtest.h>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "passes/passes.h"
#include "support/compare_graphs.h"
#include "support/plant_channels.h"

namespace nibble {
namespace {

class ChainCleaned : public testing::TestWithParam<uint64_t> {};

TEST_P(ChainCleaned, HoldsToTheEmulatedCore) {
  const Graph before = planted_mobile_graph(GetParam(), 8);
  Graph after = before;
  ASSERT_TRUE(simplify(after).ok());
  expect_same_function(before, after, GetParam());
  ChainOptions options;
  options.targets = chain_targets();
  Result<ChainReport> report = check_chain(after, random_samples(after, 4, GetParam()), options);
  EXPECT_TRUE(report.ok()) << report.error().message;
  NIBBLE_NEED_CORE(cortex_m4());
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChainCleaned, testing::Range<uint64_t>(1, 9));

}  // namespace
}  // namespace nibble
