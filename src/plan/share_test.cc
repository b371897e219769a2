// Plans in which a dst runs into its source: by hand, against all arrangements, and wrong ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/plan.h"
#include "support/plan_programs.h"

namespace nibble {
namespace {

using testing::HasSubstr;

// `rows` rows of `row_bytes`; a row of dst is written after `ahead` more rows than its own of the
// source have been read, and needs none before its own.
std::vector<AccessStep> by_rows(int64_t rows, int64_t row_bytes, int64_t behind) {
  std::vector<AccessStep> progress;
  for (int64_t row = 0; row < rows; ++row)
    progress.push_back({row * row_bytes, row + 1 < rows
                                             ? std::max<int64_t>(0, row + 1 - behind) * row_bytes
                                             : rows * row_bytes});
  return progress;
}

MemoryPlan checked_plan(const Program& program) {
  Result<MemoryPlan> made = plan(program);
  EXPECT_TRUE(made.ok());
  Status checked = check_plan(program, *made);
  EXPECT_TRUE(checked.ok()) << checked.error().message << "\n" << draw_plan(program, *made);
  return *made;
}

TEST(Sharing, DstStartsItsDistanceBelowItsSource) {
  Program program =
      make_program({64, 64, 4}, {0}, {{{0}, 1, false, -1, by_rows(8, 8, 1)}, {{1}, 2}}, {2});
  EXPECT_EQ(overlap_distance(program.calls[0].progress, 64), 8);
  MemoryPlan plan = checked_plan(program);
  EXPECT_EQ(plan.arena_bytes, 72);
  EXPECT_EQ(plan.lower_bound_bytes, 72);
  EXPECT_EQ(plan.method, "optimal");
  EXPECT_EQ(plan.offsets[0], plan.offsets[1] + 8);
}

TEST(Sharing, DistancesOfAChainAddUpAndTheBoundKnows) {
  std::vector<CallSpec> calls;
  for (int t = 0; t < 6; ++t) calls.push_back({{t}, t + 1, false, -1, by_rows(8, 8, 1)});
  Program program = make_program(std::vector<int64_t>(7, 64), {0}, calls, {6});
  MemoryPlan plan = checked_plan(program);
  EXPECT_EQ(plan.arena_bytes, 64 + 6 * 8);
  EXPECT_EQ(plan.lower_bound_bytes, plan.arena_bytes);
}

TEST(Sharing, AResidualChainKeepsItsFirstTensor) {
  // b0 lives on until the sum in call 2.
  Program program = make_program({64, 64, 64, 64}, {0},
                                 {{{0}, 1, false, -1, by_rows(8, 8, 1)},
                                  {{1}, 2, false, -1, by_rows(8, 8, 1)},
                                  {{2, 0}, 3, true}},
                                 {3});
  MemoryPlan plan = checked_plan(program);
  EXPECT_EQ(plan.arena_bytes, 64 + 72);
  EXPECT_EQ(plan.method, "optimal");
}

TEST(Sharing, ScratchLiesApart) {
  Program program = make_program({64, 64, 16}, {0}, {{{0}, 1, false, 2, by_rows(8, 8, 0)}}, {1});
  EXPECT_EQ(checked_plan(program).arena_bytes, 80);
}

TEST(Sharing, ScratchMayRunIntoTheSource) {
  // Each byte of the source becomes two of the scratch.
  std::vector<AccessStep> widening;
  for (int64_t i = 0; i < 64; ++i) widening.push_back({2 * i, i + 1});
  Program program = make_program({64, 32, 128}, {0}, {{{0}, 1, false, 2, {}, widening}}, {1});
  EXPECT_EQ(overlap_distance(program.calls[0].scratch_progress, 128), 64);
  MemoryPlan plan = checked_plan(program);
  EXPECT_EQ(plan.arena_bytes, 128 + 32);
  EXPECT_EQ(plan.lower_bound_bytes, plan.arena_bytes);
  plan.offsets[0] -= 4;
  EXPECT_FALSE(check_plan(program, plan).ok());
}

TEST(Sharing, DstAndScratchMayBothRunIntoTheSource) {
  // dst at 0, scratch at 32, the source at 80: dst lies apart from the scratch.
  Program program =
      make_program({64, 32, 96}, {0}, {{{0}, 1, false, 2, {{0, 64}}, {{0, 48}}}}, {1});
  MemoryPlan plan = checked_plan(program);
  EXPECT_EQ(plan.arena_bytes, 32 + 48 + 64);
  EXPECT_EQ(plan.lower_bound_bytes, plan.arena_bytes);
}

TEST(Sharing, NotWhileTheSourceLivesOnNorWhereItIsReadTwice) {
  Program lives_on =
      make_program({64, 64, 4}, {0}, {{{0}, 1, false, -1, by_rows(8, 8, 0)}, {{0, 1}, 2}}, {2});
  EXPECT_EQ(checked_plan(lives_on).arena_bytes, 132);
  Program twice = make_program({64, 64}, {0}, {{{0, 0}, 1, false, -1, by_rows(8, 8, 0)}}, {1});
  EXPECT_EQ(checked_plan(twice).arena_bytes, 128);
}

TEST(Sharing, EqualsTheBruteForceOptimumOnTinyPrograms) {
  Rng rng(17);
  int optimal_claims = 0, shared = 0, scratch_shared = 0;
  for (int round = 0; round < 60; ++round) {
    Program program = random_program(rng, 3, 4);
    MemoryPlan plan = checked_plan(program);
    int64_t optimum = brute_force_optimum(program, plan.arena_bytes);
    EXPECT_EQ(plan.arena_bytes, optimum) << draw_plan(program, plan);
    EXPECT_LE(plan.lower_bound_bytes, optimum) << draw_plan(program, plan);
    optimal_claims += plan.method == "optimal";
    for (KernelCall& call : program.calls) call.scratch_progress.clear();
    scratch_shared += checked_plan(program).arena_bytes > plan.arena_bytes;
    for (KernelCall& call : program.calls) call.progress.clear();
    shared += checked_plan(program).arena_bytes > plan.arena_bytes;
  }
  EXPECT_GT(optimal_claims, 50);
  EXPECT_GT(shared, 5);
  EXPECT_GT(scratch_shared, 2);
}

// --- Wrong plans --------------------------------------------------------------------------------

TEST(CheckSharing, EveryDistanceTooSmallIsRefused) {
  Rng rng(23);
  int refused = 0;
  for (int round = 0; round < 200; ++round) {
    int64_t src = rng.integer(8, 60), dst = rng.integer(8, 60);
    Program program = make_program({src, dst}, {0}, {{{0}, 1}}, {1});
    for (Buffer& buffer : program.buffers) buffer.align_bytes = 1;
    KernelCall& call = program.calls[0];
    call.progress = random_progress(rng, src, dst);
    // The last bytes of the source are read to the end, so that the distance is exact.
    for (AccessStep& step : call.progress)
      step.unread_from_bytes = std::min(step.unread_from_bytes, src - 1);
    const int64_t distance = overlap_distance(call.progress, dst);
    MemoryPlan plan;
    plan.arena_bytes = 300;
    for (int64_t below = dst + 2; below >= 0; --below) {
      plan.offsets = {100, 100 - below};
      EXPECT_EQ(check_plan(program, plan).ok(), below >= distance) << below << " of " << distance;
      refused += below < distance;
    }
    for (int64_t above = 1; above <= src + 2; ++above) {
      plan.offsets = {100, 100 + above};
      if (distance == 0) break;
      EXPECT_EQ(check_plan(program, plan).ok(), above >= src);
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(CheckSharing, NamesBothBuffersAndTheBytes) {
  Program program = make_program({64, 64}, {0}, {{{0}, 1, false, -1, by_rows(8, 8, 1)}}, {1});
  MemoryPlan plan = checked_plan(program);
  plan.offsets = {4, 0};
  plan.arena_bytes = 68;
  Status status = check_plan(program, plan);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("\"b1\""));
  EXPECT_THAT(status.error().message, HasSubstr("\"b0\""));
  EXPECT_THAT(status.error().message, HasSubstr("still reads"));
}

TEST(CheckSharing, AnOverwrittenSourceMustNotBeReadAgain) {
  Program program =
      make_program({64, 64, 4}, {0}, {{{0}, 1, false, -1, by_rows(8, 8, 1)}, {{0, 1}, 2}}, {2});
  MemoryPlan plan = checked_plan(program);
  plan.offsets = {8, 0, 100};
  plan.arena_bytes = 104;
  EXPECT_FALSE(check_plan(program, plan).ok());
}

TEST(CheckSharing, ScratchOrASecondSourceInTheOverlapIsRefused) {
  Program program =
      make_program({64, 64, 16, 64}, {0, 3}, {{{0, 3}, 1, false, 2, by_rows(8, 8, 1)}}, {1});
  MemoryPlan plan;
  plan.arena_bytes = 300;
  plan.offsets = {8, 0, 100, 120};
  EXPECT_TRUE(check_plan(program, plan).ok());
  plan.offsets = {8, 0, 64, 120};
  EXPECT_FALSE(check_plan(program, plan).ok());
  plan.offsets = {72, 64, 200, 8};
  EXPECT_FALSE(check_plan(program, plan).ok());
}

TEST(CheckSharing, MomentsThatDoNotAscendAreRefused) {
  Program program = make_program({64, 64}, {0}, {{{0}, 1}}, {1});
  MemoryPlan plan;
  plan.arena_bytes = 128;
  plan.offsets = {16, 0};
  program.calls[0].progress = {{0, 64}, {64, 0}};
  EXPECT_FALSE(check_plan(program, plan).ok());
  program.calls[0].progress = {{48, 64}, {0, 64}};
  EXPECT_FALSE(check_plan(program, plan).ok());
  program.calls[0].progress = {{0, 64}, {INT64_MAX, 64}};
  EXPECT_TRUE(check_plan(program, plan).ok());
}

}  // namespace
}  // namespace nibble
