// Which groups are chosen: within every limit, the least that there is, and never more for less.
#include <gtest/gtest.h>

#include "graph/graph.h"
#include "plan/bands.h"
#include "plan/plan.h"
#include "support/band_programs.h"

namespace nibble {
namespace {

BandPlans plans_of(const Program& program) { return BandPlans::of(program).value(); }

TEST(PlanInBands, TakesTheCheapestThatFits) {
  const ImageSpec same{16, 3, 1, 1, 1, 16};
  const Program program = chain_program({same, same}, 32, true);
  auto arena = [&](int64_t most, double share = 0) {
    BandOptions options;
    if (most > 0) options.arena_bytes = most;
    options.free_share = share;
    return plans_of(program).plan(options)->plan.arena_bytes;
  };
  EXPECT_EQ(arena(0), 1536);
  EXPECT_EQ(arena(1536), 1536);
  const int64_t half = arena(1000);
  EXPECT_LE(half, 1000);
  EXPECT_GT(half, 640);
  EXPECT_EQ(arena(640), 640);
  // Nothing fits: the smallest.
  EXPECT_EQ(arena(100), 640);
  // Free as far as the share allows.
  EXPECT_EQ(arena(0, 1e-9), 1536);
  EXPECT_EQ(arena(0, 0.5), 640);
}

struct Outcome {
  int64_t arena_bytes = 0, cycles = 0;
};

Outcome plan_below(BandPlans& plans, int64_t arena_bytes, double free_share) {
  BandOptions options;
  options.arena_bytes = arena_bytes;
  options.free_share = free_share;
  Result<Planned> planned = plans.plan(options);
  EXPECT_TRUE(planned.ok());
  Status proof = check_plan(planned->program, planned->plan);
  EXPECT_TRUE(proof.ok()) << proof.error().message;
  Outcome outcome{planned->plan.arena_bytes, 0};
  for (const KernelCall& call : planned->program.calls) outcome.cycles += call.cycles;
  return outcome;
}

Outcome plan_below(const Program& program, int64_t arena_bytes, double free_share) {
  BandPlans plans = plans_of(program);
  return plan_below(plans, arena_bytes, free_share);
}

Program random_program(Rng& rng, int64_t most_layers) {
  const std::vector<ImageSpec> specs = random_specs(rng, most_layers);
  const bool residual = specs.back().out_h == specs[0].in_h && rng.integer(0, 1) == 1;
  Program program = chain_program(specs, rng.integer(1, 8) * 4, residual);
  if (rng.integer(0, 2) > 0) add_row_moments(program);
  for (KernelCall& call : program.calls) call.cycles = rng.integer(1000, 100'000);
  return program;
}

// The figure that a refusal states is one that fits, nothing below it does, and less RAM allowed
// never takes more.
TEST(PlanInBands, EveryLimitIsKeptAndTheLeastIsFeasible) {
  Rng rng(5);
  size_t smaller = 0;
  for (int i = 0; i < 300; ++i) {
    const Program program = random_program(rng, 10);
    for (const double share : {0.0, 0.05}) {
      const int64_t least = plan_below(program, 1, share).arena_bytes;
      const int64_t whole = plan(program)->arena_bytes;
      smaller += least < whole;
      EXPECT_EQ(plan_below(program, least, share).arena_bytes, least);
      EXPECT_EQ(plan_below(program, least - 1, share).arena_bytes, least);
      Outcome before = plan_below(program, least, share);
      constexpr int64_t kSteps = 12;
      for (int64_t step = 0; step <= kSteps; ++step) {
        const int64_t limit = least + (whole + 8 - least) * step / kSteps;
        const Outcome outcome = plan_below(program, limit, share);
        EXPECT_LE(outcome.arena_bytes, limit) << "program " << i;
        EXPECT_GE(outcome.arena_bytes, before.arena_bytes) << "program " << i;
        // Where less costs next to nothing it is taken although more would fit.
        EXPECT_LE(outcome.cycles, before.cycles) << "program " << i;
        before = outcome;
      }
    }
  }
  EXPECT_GT(smaller, 100u);
}

// Whatever was asked before, the answer to a question is the same.
TEST(PlanInBands, WhatWasAskedBeforeChangesNothing) {
  Rng rng(7);
  for (int i = 0; i < 100; ++i) {
    const Program program = random_program(rng, 10);
    const int64_t whole = plan(program)->arena_bytes;
    BandPlans plans = plans_of(program);
    for (int asked = 0; asked < 12; ++asked) {
      BandOptions options;
      if (rng.integer(0, 5) > 0) options.arena_bytes = rng.integer(1, whole + 8);
      options.free_share =
          rng.integer(0, 2) == 0 ? 0 : 0.02 * static_cast<double>(rng.integer(0, 20));
      const Result<Planned> again = plans.plan(options);
      const Result<Planned> alone = plans_of(program).plan(options);
      EXPECT_EQ(again->plan, alone->plan) << "program " << i;
      EXPECT_EQ(again->plan.method, alone->plan.method);
      EXPECT_EQ(print_program(again->program), print_program(alone->program));
    }
  }
}

// Of all ways to cut calls [first, end) of the program into groups.
void least_of_all(const Program& program, size_t first, std::vector<ChosenGroup>& groups,
                  int64_t& least) {
  if (first == program.calls.size()) {
    least = std::min(least, plan(with_groups(program, groups))->arena_bytes);
    return;
  }
  least_of_all(program, first + 1, groups, least);
  for (size_t end = first + 2; end <= program.calls.size(); ++end) {
    std::optional<BandGroup> group = BandGroup::of(program, first, end);
    if (!group) continue;
    for (const int32_t height : {1, 2, 3, 4, 6, 8, 12, 16}) {
      if (height >= group->rows()) break;
      groups.push_back({*group, height});
      least_of_all(program, end, groups, least);
      groups.pop_back();
    }
  }
}

TEST(PlanInBands, NoChoiceOfGroupsIsSmaller) {
  Rng rng(6);
  for (int i = 0; i < 500; ++i) {
    const Program program = random_program(rng, 4);
    std::vector<ChosenGroup> groups;
    int64_t least = std::numeric_limits<int64_t>::max();
    least_of_all(program, 0, groups, least);
    EXPECT_EQ(plan_below(program, 1, 0).arena_bytes, least) << "program " << i;
  }
}

TEST(PlanInBands, SaysOptimalOfWhatWasProved) {
  const ImageSpec same{16, 3, 1, 1, 1, 16};
  Program program = chain_program({same, same}, 32, true);
  BandOptions options;
  EXPECT_EQ(plan(program)->method, "optimal");
  auto method = [&](const Program& of) { return plans_of(of).plan(options)->plan.method; };
  EXPECT_EQ(method(program), "optimal without bands");
  options.arena_bytes = 1;
  EXPECT_EQ(method(program), "optimal for these bands and this order");
  // Nothing can be a group.
  EXPECT_EQ(method(chain_program({same}, 32)), "optimal");
}

}  // namespace
}  // namespace nibble
