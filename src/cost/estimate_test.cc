// Cycles by rules, layer by layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "cost/cost.h"

namespace nibble {
namespace {

KernelCall call_of(const std::string& layer, int64_t cycles) {
  KernelCall call;
  call.layer = layer;
  call.cycles = cycles;
  return call;
}

TEST(RuleCycles, OfAGroupAreSharedByItsMembers) {
  Program program;
  program.calls = {call_of("first", 100), call_of("group", 330), call_of("last", 7)};
  program.calls[1].members = {call_of("a", 100), call_of("b", 200), call_of("free", 0)};
  const std::vector<double> cycles = rule_cycles(program);
  EXPECT_THAT(cycles, testing::ElementsAre(100, 110, 220, 0, 7));
  EXPECT_EQ(cycles.size(), layer_calls(program).size());
  EXPECT_EQ(std::accumulate(cycles.begin(), cycles.end(), 0.0), 437);
}

TEST(RuleCycles, AreNoneWhereTheCoreHasNoRules) {
  Program program;
  program.calls = {call_of("group", 0)};
  program.calls[0].members = {call_of("a", 0), call_of("b", 0)};
  EXPECT_THAT(rule_cycles(program), testing::ElementsAre(0, 0));
  EXPECT_TRUE(rule_cycles(Program()).empty());
}

}  // namespace
}  // namespace nibble
