// The order of calls: by hand, and against all orders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/plan.h"
#include "support/plan_programs.h"

namespace nibble {
namespace {

std::vector<std::string> layers_of(const Program& program) {
  std::vector<std::string> layers;
  for (const KernelCall& call : program.calls) layers.push_back(call.layer);
  return layers;
}

MemoryPlan best_plan(Program& program) {
  Result<MemoryPlan> made = plan_in_best_order(program);
  EXPECT_TRUE(made.ok());
  Status checked = check_plan(program, *made);
  EXPECT_TRUE(checked.ok()) << checked.error().message << "\n" << draw_plan(program, *made);
  return *made;
}

TEST(Order, AChainStaysAsItIs) {
  Program program = make_program({8, 100, 60, 4}, {0}, {{{0}, 1}, {{1}, 2}, {{2}, 3}}, {3});
  const Program before = program;
  MemoryPlan plan = best_plan(program);
  EXPECT_EQ(program, before);
  EXPECT_EQ(plan.arena_bytes, 160);
  EXPECT_EQ(plan.method, "optimal");
}

TEST(Order, ABranchIsFinishedBeforeTheNextBegins) {
  // Two branches of a wide tensor that ends small; as given, both wide ones live together.
  Program program = make_program({8, 100, 100, 4, 4, 8}, {0},
                                 {{{0}, 1}, {{0}, 2}, {{1}, 3}, {{2}, 4}, {{3, 4}, 5}}, {5});
  EXPECT_EQ(plan(program)->arena_bytes, 208);
  MemoryPlan plan = best_plan(program);
  EXPECT_EQ(plan.arena_bytes, 112);
  EXPECT_EQ(plan.lower_bound_bytes, 112);
  EXPECT_EQ(plan.method, "optimal");
  EXPECT_THAT(
      layers_of(program),
      testing::AnyOf(testing::ElementsAre("layer0", "layer2", "layer1", "layer3", "layer4"),
                     testing::ElementsAre("layer1", "layer3", "layer0", "layer2", "layer4")));
}

TEST(Order, PartsOfABufferMayBeWrittenInAnyOrder) {
  // b3 is joined from both branches; the second is better computed first.
  Program program = make_program({8, 12, 100, 16, 8}, {0},
                                 {{{0}, 1}, {{1}, 3}, {{0}, 2}, {{2}, 4}, {{4}, 3}}, {3});
  program.calls[4].operands[1].offset_bytes = 12;
  EXPECT_EQ(plan(program)->arena_bytes, 124);
  MemoryPlan plan = best_plan(program);
  EXPECT_EQ(plan.arena_bytes, 116);
}

// Whether `later` reads or overwrites what `earlier` wrote, or overwrites what it read.
bool depends(const KernelCall& later, const KernelCall& earlier) {
  for (const Operand& a : earlier.operands)
    for (const Operand& b : later.operands)
      if (a.buffer == b.buffer && a.buffer >= 0 &&
          (a.role != Operand::Role::kSrc || b.role != Operand::Role::kSrc))
        return true;
  return false;
}

int64_t best_of_all_orders(const Program& program) {
  std::vector<size_t> order(program.calls.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  int64_t best = INT64_MAX;
  do {
    bool valid = true;
    for (size_t i = 0; i < order.size(); ++i)
      for (size_t k = i + 1; k < order.size(); ++k)
        valid = valid &&
                (order[i] < order[k] || !depends(program.calls[order[i]], program.calls[order[k]]));
    if (!valid) continue;
    Program ordered = program;
    for (size_t i = 0; i < order.size(); ++i) ordered.calls[i] = program.calls[order[i]];
    Result<MemoryPlan> made = plan(ordered);
    EXPECT_TRUE(made.ok());
    best = std::min(best, made->arena_bytes);
  } while (std::ranges::next_permutation(order).found);
  return best;
}

TEST(Order, EqualsTheBestOfAllOrders) {
  Rng rng(31);
  int better = 0, optimal = 0;
  for (int round = 0; round < 60; ++round) {
    Program program = random_program(rng, 6, 16);
    const Program before = program;
    int64_t all = best_of_all_orders(program);
    MemoryPlan plan = best_plan(program);
    EXPECT_LE(plan.lower_bound_bytes, all);
    EXPECT_EQ(plan.arena_bytes, all) << draw_plan(program, plan);
    optimal += plan.method == "optimal";
    better += plan.arena_bytes < nibble::plan(before)->arena_bytes;
  }
  EXPECT_GT(better, 5);
  EXPECT_GT(optimal, 40);
}

TEST(Order, WideGraphsEnd) {
  // 40 branches of three calls each, joined in the end.
  std::vector<int64_t> sizes = {64};
  std::vector<CallSpec> calls;
  std::vector<int> ends;
  Rng rng(3);
  for (int branch = 0; branch < 40; ++branch) {
    int from = 0;
    for (int i = 0; i < 3; ++i) {
      sizes.push_back(4 * rng.integer(1, 200));
      calls.push_back({{from}, static_cast<int>(sizes.size()) - 1});
      from = static_cast<int>(sizes.size()) - 1;
    }
    ends.push_back(from);
  }
  sizes.push_back(64);
  calls.push_back({ends, static_cast<int>(sizes.size()) - 1});
  Program program = make_program(sizes, {0}, calls, {static_cast<int>(sizes.size()) - 1});
  const int64_t given = plan(program)->arena_bytes;
  MemoryPlan made = best_plan(program);
  EXPECT_LE(made.arena_bytes, given);
  EXPECT_LE(made.lower_bound_bytes, made.arena_bytes);
}

}  // namespace
}  // namespace nibble
