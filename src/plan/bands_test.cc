// Rows of groups: against what windows read by their definition, on random windows; the checker on
// spoiled groups.
#include "plan/bands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rng.h"
#include "plan/plan.h"
#include "support/band_programs.h"

namespace nibble {
namespace {

using testing::HasSubstr;

TEST(RowRule, RowsAreThoseThatTheTapsMeet) {
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    const ImageSpec spec = random_spec(rng, rng.integer(1, 9));
    if (spec.out_h == 0) continue;
    Program program = chain_program({spec}, 4);
    std::optional<RowRule> rule = row_rule(program, program.calls[0]);
    ASSERT_TRUE(rule);
    const auto first = static_cast<int32_t>(rng.integer(0, spec.out_h - 1));
    const auto end = static_cast<int32_t>(rng.integer(first + 1, spec.out_h));
    int64_t low = spec.in_h, high = 0;
    bool all_meet = spec.dilation == 1;  // else rows between taps may be more than what is met
    for (int64_t row = first; row < end; ++row) {
      bool meets = false;
      for (int64_t ky = 0; ky < spec.k_h; ++ky) {
        const int64_t y = row * spec.stride - spec.pad_top + ky * spec.dilation;
        if (y < 0 || y >= spec.in_h) continue;
        low = std::min(low, y), high = std::max(high, y + 1);
        meets = true;
      }
      all_meet = all_meet && meets;
    }
    if (low >= high) continue;  // padding alone
    EXPECT_LE(rule->src_first(first), low);
    EXPECT_GE(rule->src_end(end), high);
    if (all_meet) {
      EXPECT_EQ(rule->src_first(first), low);
      EXPECT_EQ(rule->src_end(end), high);
    }
  }
}

TEST(BandGroup, EveryCutHoldsBeforeTheChecker) {
  Rng rng(2);
  int tried = 0;
  for (int i = 0; i < 400; ++i) {
    const std::vector<ImageSpec> specs = random_specs(rng);
    const bool residual = specs.back().out_h == specs[0].in_h;
    Program program = chain_program(specs, rng.integer(1, 3) * 4 - (residual ? 0 : 1), residual);
    std::optional<BandGroup> group = BandGroup::of(program, 0, program.calls.size());
    ASSERT_TRUE(group);
    for (int32_t height : {1, 2, 3, 5, group->rows()}) {
      Program banded = with_groups(program, {{*group, height}});
      ASSERT_EQ(banded.calls.size(), 1u);
      Result<MemoryPlan> planned = plan(banded);
      ASSERT_TRUE(planned.ok());
      Status proof = check_plan(banded, *planned);
      EXPECT_TRUE(proof.ok()) << "program " << i << ": " << proof.error().message;
      ++tried;
    }
  }
  EXPECT_GT(tried, 1000);
}

TEST(BandGroup, ThreeByThreeTwiceAndASumInPlace) {
  const ImageSpec same{16, 3, 1, 1, 1, 16};
  Program program = chain_program({same, same}, 32, true);
  std::optional<BandGroup> group = BandGroup::of(program, 0, 3);
  ASSERT_TRUE(group);
  BandCut cut = group->cut(1);
  ASSERT_EQ(cut.bands.size(), 16u);
  EXPECT_TRUE(cut.in_place);
  // The first convolution is one row ahead, the second keeps pace with the sum.
  EXPECT_EQ(cut.bands[3].rows[0], (BandRows{4, 5, 3, 6}));
  EXPECT_EQ(cut.bands[3].rows[1], (BandRows{3, 4, 2, 5}));
  EXPECT_EQ(cut.bands[3].rows[2], (BandRows{3, 4, 3, 4}));
  EXPECT_EQ(cut.window_bytes, (std::vector<int64_t>{3 * 32, 32}));
  // Two rows move down for each band but the first two and the last.
  EXPECT_EQ(cut.moved_bytes, 14 * 2 * 32);
  Program banded = with_groups(program, {{*group, 1}});
  EXPECT_EQ(plan(banded)->arena_bytes, 16 * 32 + 4 * 32);
  EXPECT_EQ(plan(program)->arena_bytes, 3 * 16 * 32);
}

TEST(BandGroup, WhatCannotBeOne) {
  const ImageSpec same{16, 3, 1, 1, 1, 16};
  const Program good = chain_program({same, same}, 32);
  EXPECT_TRUE(BandGroup::of(good, 0, 2));
  auto spoiled = [&](const std::function<void(Program&)>& change) {
    Program program = good;
    change(program);
    return !BandGroup::of(program, 0, 2);
  };
  EXPECT_TRUE(spoiled([](Program& p) { p.calls[0].fields[0].second = int64_t{2}; }));  // batches
  EXPECT_TRUE(spoiled([](Program& p) { p.calls[1].fields[1].second = int64_t{8}; }));  // in_h
  EXPECT_TRUE(spoiled([](Program& p) { p.calls[1].operands[0].offset_bytes = 4; }));
  EXPECT_TRUE(spoiled([](Program& p) {  // read from outside
    p.outputs.push_back(p.outputs[0]);
    p.outputs.back().buffer = 1;
  }));
  EXPECT_TRUE(spoiled([](Program& p) {  // by a function that computes whole images
    p.functions.emplace_back();
    p.calls[0].function = 0;
  }));
}

TEST(CheckGroups, FindsWhatIsWrong) {
  const ImageSpec same{16, 3, 1, 1, 1, 16};
  Program program = chain_program({same, same}, 32, true);
  const Program good = with_groups(program, {{*BandGroup::of(program, 0, 3), 2}});
  const MemoryPlan planned = *plan(good);
  ASSERT_TRUE(check_plan(good, planned).ok());
  auto error = [&](const std::function<void(KernelCall&)>& change) {
    Program spoiled = good;
    change(spoiled.calls[0]);
    Status status = check_plan(spoiled, planned);
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_THAT(error([](KernelCall& c) { c.bands[2].rows[0].first_row -= 1; }),
              HasSubstr("left out or computed twice"));
  EXPECT_THAT(error([](KernelCall& c) { c.bands[2].rows[0].src_first_row += 1; }),
              HasSubstr("other rows than it needs"));
  EXPECT_THAT(error([](KernelCall& c) { c.bands[2].first_rows[0] += 1; }),
              HasSubstr("its window does not hold"));
  EXPECT_THAT(error([](KernelCall& c) { c.bands[2].first_rows[0] -= 1; }),
              HasSubstr("a window is too small"));
  EXPECT_THAT(error([](KernelCall& c) { c.bands.pop_back(); }), HasSubstr("group"));
  EXPECT_THAT(error([](KernelCall& c) {
                c.progress = {{0, 16 * 32}};
              }),
              HasSubstr("moment of the group is not true"));
}

}  // namespace
}  // namespace nibble
