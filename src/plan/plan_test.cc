// Plans of small programs against hand-computed arenas and a brute-force optimum; plans of random
// programs against the checker; broken plans must be caught.
#include "plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/rng.h"
#include "support/plan_programs.h"

namespace nibble {
namespace {

using testing::HasSubstr;

MemoryPlan plan_of(const Program& program) {
  Result<MemoryPlan> made = plan(program);
  EXPECT_TRUE(made.ok());
  Status checked = check_plan(program, *made);
  EXPECT_TRUE(checked.ok()) << checked.error().message << "\n" << draw_plan(program, *made);
  return *made;
}

TEST(Plan, ChainNeedsTheLargestNeighbours) {
  // 8 → 100 → 60 → 4: calls hold 108, 160, 64.
  Program program = make_program({8, 100, 60, 4}, {0}, {{{0}, 1}, {{1}, 2}, {{2}, 3}}, {3});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.arena_bytes, 160);
  EXPECT_EQ(plan.lower_bound_bytes, 160);
  const Peak peak = find_peak(program, plan);
  EXPECT_EQ(peak.first_call, 1);
  EXPECT_EQ(peak.last_call, 1);
  EXPECT_EQ(peak.bytes, 160);
  EXPECT_EQ(plan.method, "optimal");
  EXPECT_EQ(plan.lifetimes[0], (Lifetime{-1, 0}));
  EXPECT_EQ(plan.lifetimes[1], (Lifetime{0, 1}));
  EXPECT_EQ(plan.lifetimes[3], (Lifetime{2, 3}));
}

TEST(Plan, InPlaceSharesTheAddress) {
  Program program = make_program({8, 100, 100, 4}, {0}, {{{0}, 1}, {{1}, 2, true}, {{2}, 3}}, {3});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.offsets[1], plan.offsets[2]);
  EXPECT_EQ(plan.arena_bytes, 108);
}

TEST(Plan, InPlaceIsRefusedWhileTheSourceLives) {
  // b1 is read again by call 2.
  Program program =
      make_program({8, 100, 100, 4}, {0}, {{{0}, 1}, {{1}, 2, true}, {{2, 1}, 3}}, {3});
  MemoryPlan plan = plan_of(program);
  EXPECT_NE(plan.offsets[1], plan.offsets[2]);
  EXPECT_EQ(plan.arena_bytes, 204);
}

TEST(Plan, InPlaceIsRefusedForAnOutput) {
  Program program = make_program({8, 100, 100}, {0}, {{{0}, 1}, {{1}, 2, true}}, {1, 2});
  EXPECT_EQ(plan_of(program).arena_bytes, 200);
}

TEST(Plan, ChainOfInPlaceCallsIsOneBlock) {
  Program program =
      make_program({64, 64, 64, 64}, {0}, {{{0}, 1, true}, {{1}, 2, true}, {{2}, 3, true}}, {3});
  EXPECT_EQ(plan_of(program).arena_bytes, 64);
}

TEST(Plan, ScratchLivesOnlyDuringItsCall) {
  Program program = make_program({16, 16, 16, 40}, {0}, {{{0}, 1, false, 3}, {{1}, 2}}, {2});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.arena_bytes, 72);
  EXPECT_EQ(plan.lifetimes[3], (Lifetime{0, 0}));
}

TEST(Plan, InputThatIsAnOutputLivesAllTheTime) {
  Program program = make_program({32, 16}, {0}, {{{0}, 1, true}}, {0, 1});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.lifetimes[0], (Lifetime{-1, 1}));
  EXPECT_EQ(plan.arena_bytes, 48);
}

TEST(Plan, UnusedInputIsThereAtTheStartOnly) {
  Program program = make_program({32, 100, 16, 8}, {0, 1}, {{{0}, 2}, {{2}, 3}}, {3});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.lifetimes[1], (Lifetime{-1, -1}));
  EXPECT_EQ(plan.arena_bytes, 132);
  EXPECT_EQ(find_peak(program, plan).last_call, -1);
}

TEST(Plan, UnmentionedAndEmptyBuffersTakeNothing) {
  Program program = make_program({32, 8, 500, 0}, {0}, {{{0}, 1, false, 3}}, {1});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.offsets[2], -1);
  EXPECT_EQ(plan.offsets[3], -1);
  EXPECT_EQ(plan.arena_bytes, 40);
}

TEST(Plan, ProgramWithoutCalls) {
  Program program = make_program({10}, {0}, {}, {0});
  EXPECT_EQ(plan_of(program).arena_bytes, 10);
  EXPECT_EQ(plan_of(make_program({}, {}, {}, {})).arena_bytes, 0);
}

TEST(Plan, SourceReadTwiceByAnInPlaceCall) {
  Program program = make_program({16, 16}, {0}, {{{0, 0}, 1, true}}, {1});
  EXPECT_EQ(plan_of(program).arena_bytes, 16);
}

TEST(Plan, ConstantSourcesHaveNoBuffer) {
  Program program = make_program({16, 16}, {0}, {{{0, 0}, 1, true}}, {1});
  program.calls[0].operands[1].buffer = -1;
  program.calls[0].operands[1].constant = 0;
  EXPECT_EQ(plan_of(program).arena_bytes, 16);
}

TEST(Plan, BoundCountsAlignmentOfAllButTheTopmost) {
  // 5 and 7 bytes at offsets that are multiples of 4: 8 + 7 or 8 + 5 = 13.
  Program program = make_program({5, 7}, {0}, {{{0}, 1}}, {1});
  MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.lower_bound_bytes, 13);
  EXPECT_EQ(plan.arena_bytes, 13);
}

TEST(Plan, TooLargeIsAnError) {
  Program program = make_program({int64_t{3} << 30, 4}, {0}, {{{0}, 1}}, {1});
  Result<MemoryPlan> made = plan(program);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message, HasSubstr("\"b0\""));
}

// --- Against all arrangements -------------------------------------------------------------------

TEST(Plan, EqualsTheBruteForceOptimumOnTinyPrograms) {
  Rng rng(7);
  int optimal_claims = 0;
  for (int round = 0; round < 60; ++round) {
    Program program = random_program(rng, 3, 4);
    MemoryPlan plan = plan_of(program);
    int64_t optimum = brute_force_optimum(program, plan.arena_bytes);
    EXPECT_EQ(plan.arena_bytes, optimum) << draw_plan(program, plan);
    EXPECT_LE(plan.lower_bound_bytes, optimum);
    optimal_claims += plan.method == "optimal";
  }
  EXPECT_GT(optimal_claims, 50);
}

TEST(Plan, RandomProgramsPassTheCheckerAndStayNearTheBound) {
  Rng rng(11);
  int64_t arena = 0, bound = 0;
  for (int round = 0; round < 150; ++round) {
    Program program = random_program(rng, static_cast<int>(rng.integer(1, 40)), 64);
    MemoryPlan plan = plan_of(program);
    EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes);
    arena += plan.arena_bytes;
    bound += plan.lower_bound_bytes;
    MemoryPlan again = *nibble::plan(program);
    EXPECT_EQ(again, plan) << "not deterministic";
  }
  RecordProperty("arena_over_bound_percent", std::to_string(100 * arena / bound - 100));
  EXPECT_LE(arena, bound + bound / 50);
}

// --- Broken plans -------------------------------------------------------------------------------

TEST(CheckPlan, CatchesEveryOverlapOfLiveBuffers) {
  Rng rng(3);
  int broken = 0;
  for (int round = 0; round < 400; ++round) {
    Program program = random_program(rng, 6, 16);
    MemoryPlan plan = plan_of(program);
    // Puts one buffer onto another that is live at a common time (and no in-place pair of one
    // call).
    auto a = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(plan.offsets.size()) - 1));
    auto b = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(plan.offsets.size()) - 1));
    int first = std::max(plan.lifetimes[a].first_call, plan.lifetimes[b].first_call);
    int last = std::min(plan.lifetimes[a].last_call, plan.lifetimes[b].last_call);
    if (a == b || first >= last || plan.offsets[a] < 0 || plan.offsets[b] < 0) continue;
    plan.offsets[a] = plan.offsets[b];
    plan.arena_bytes = 1 << 20;
    Status status = check_plan(program, plan);
    EXPECT_FALSE(status.ok()) << draw_plan(program, plan);
    ++broken;
  }
  EXPECT_GT(broken, 40);
}

TEST(CheckPlan, NamesBothBuffersAndTheCall) {
  Program program = make_program({8, 100, 60, 4}, {0}, {{{0}, 1}, {{1}, 2}, {{2}, 3}}, {3});
  MemoryPlan plan = plan_of(program);
  plan.offsets[2] = plan.offsets[1];
  Status status = check_plan(program, plan);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("\"b1\""));
  EXPECT_THAT(status.error().message, HasSubstr("\"b2\""));
  EXPECT_THAT(status.error().message, HasSubstr("layer1"));
}

TEST(CheckPlan, PartialOverlapOfAnInPlacePairIsCaught) {
  Program program = make_program({16, 16}, {0}, {{{0}, 1, true}}, {1});
  MemoryPlan plan = plan_of(program);
  EXPECT_TRUE(check_plan(program, plan).ok());
  plan.offsets = {0, 4};
  plan.arena_bytes = 20;
  EXPECT_FALSE(check_plan(program, plan).ok());
}

TEST(CheckPlan, LeavingTheArenaMisalignmentAndWrongLength) {
  Program program = make_program({16, 16}, {0}, {{{0}, 1}}, {1});
  MemoryPlan good = plan_of(program);
  MemoryPlan plan = good;
  plan.arena_bytes = 31;
  EXPECT_FALSE(check_plan(program, plan).ok());
  plan = good;
  plan.offsets[0] = -1;
  EXPECT_FALSE(check_plan(program, plan).ok());
  plan = good;
  plan.offsets = {0, 18};
  plan.arena_bytes = 64;
  EXPECT_FALSE(check_plan(program, plan).ok());
  plan = good;
  plan.offsets.pop_back();
  EXPECT_FALSE(check_plan(program, plan).ok());
  plan = good;
  plan.arena_bytes = int64_t{1} << 60;
  EXPECT_FALSE(check_plan(program, plan).ok());
}

TEST(CheckPlan, ScratchOverASourceAndReadBeforeWriteAreCaught) {
  Program program = make_program({16, 16, 16}, {0}, {{{0}, 1, false, 2}}, {1});
  MemoryPlan plan = plan_of(program);
  plan.offsets[2] = plan.offsets[0];
  EXPECT_FALSE(check_plan(program, plan).ok());
  Program unwritten = make_program({16, 16, 16}, {0}, {{{2}, 1}}, {1});
  EXPECT_FALSE(check_plan(unwritten, *nibble::plan(unwritten)).ok());
}

TEST(CheckPlan, BufferWrittenInPartsKeepsItsParts) {
  // Calls 0 and 2 write b2 in two parts; call 1 writes b3 over the first part.
  Program program = make_program({8, 8, 16, 8}, {0, 1}, {{{0}, 2}, {{1}, 3}, {{3}, 2}}, {2});
  program.calls[2].operands[1].offset_bytes = 8;
  MemoryPlan plan = plan_of(program);
  plan.offsets[3] = plan.offsets[2];
  EXPECT_FALSE(check_plan(program, plan).ok());
}

// --- Text ---------------------------------------------------------------------------------------

TEST(DrawPlan, ShowsOffsetsBarsAndTheBound) {
  Program program = make_program({8, 100, 60, 4}, {0}, {{{0}, 1}, {{1}, 2}, {{2}, 3}}, {3});
  std::string text = draw_plan(program, plan_of(program));
  EXPECT_THAT(text, HasSubstr("arena                 160 bytes  (optimal)"));
  EXPECT_THAT(text, HasSubstr("no gap"));
  EXPECT_THAT(text, HasSubstr("set by       call 1 (layer"));
  EXPECT_THAT(text, HasSubstr("100  b1      .##.."));
  EXPECT_THAT(text, HasSubstr("8  b0      ##..."));
  EXPECT_THAT(text, HasSubstr("4  b3      ...##"));
}

// Each result lies 8 bytes below its source, three times, where no call has 64 bytes live.
TEST(Peak, ChainOfOffsetsIsNamed) {
  Program program =
      make_program({40, 40, 40, 40, 4}, {0}, {{{0}, 1}, {{1}, 2}, {{2}, 3}, {{3}, 4}}, {4});
  for (size_t call = 0; call < 3; ++call)
    for (int64_t bytes = 8; bytes <= 40; bytes += 8)
      program.calls[call].progress.push_back({bytes, bytes});
  const MemoryPlan plan = plan_of(program);
  EXPECT_EQ(plan.arena_bytes, 64) << draw_plan(program, plan);
  EXPECT_EQ(std::ranges::max(live_bytes(program, plan)), 48);
  const Peak peak = find_peak(program, plan);
  EXPECT_EQ(peak.bytes, 64);
  EXPECT_EQ(peak.first_call, 0);
  EXPECT_EQ(peak.last_call, 2);
  EXPECT_THAT(draw_plan(program, plan),
              HasSubstr("their places follow from each other, 48 bytes are live at most"));
}

TEST(PlanJson, RoundTripIsExact) {
  Program program = make_program({8, 100, 60, 4}, {0}, {{{0}, 1}, {{1}, 2}, {{2}, 3}}, {3});
  program.buffers[1].name = "caf\xff \"quoted\"";
  MemoryPlan plan = plan_of(program);
  std::string text = print_plan(program, plan);
  Result<MemoryPlan> back = parse_plan(text);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(*back, plan);
  EXPECT_EQ(back->lifetimes, plan.lifetimes);
  EXPECT_EQ(back->method, plan.method);
  EXPECT_EQ(print_plan(program, *back), text);
}

TEST(PlanJson, WrongTextNamesTheField) {
  EXPECT_FALSE(parse_plan("").ok());
  EXPECT_FALSE(parse_plan("[1]").ok());
  EXPECT_FALSE(parse_plan(R"({"arena_bytes": "x"})").ok());
  std::string text = R"({"arena_bytes":1,"lower_bound_bytes":1,"method":"m",)";
  EXPECT_FALSE(parse_plan(text + R"("buffers":{}})").ok());
  EXPECT_FALSE(parse_plan(text + R"("buffers":[3]})").ok());
  EXPECT_FALSE(parse_plan(text + R"("buffers":[{"offset":1e99}]})").ok());
  Result<MemoryPlan> huge = parse_plan(
      text + R"("buffers":[{"offset":18446744073709551615,"first_call":0,"last_call":0}]})");
  ASSERT_FALSE(huge.ok());
  EXPECT_THAT(huge.error().message, HasSubstr("\"offset\" of buffers[0]"));
}

}  // namespace
}  // namespace nibble
