// lower_and_plan: models of 1-D convolutions keep to a limit that only bands can keep to.
#include <gtest/gtest.h>

#include "pipeline/pipeline.h"
#include "support/graph_text.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[7], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";

// Three 1-D convolutions over 512 steps; `in_rows`: time goes over rows.
Graph one_dimensional(bool in_rows) {
  auto image = [&](int steps, int channels) {
    return in_rows ? fmt::format("[1,{},1,{}]", steps, channels)
                   : fmt::format("[1,1,{},{}]", steps, channels);
  };
  auto conv = [&](int index, int in_c, int out_c, int stride, int steps) {
    const std::string filter =
        in_rows ? fmt::format("[{},5,1,{}]", out_c, in_c) : fmt::format("[{},1,5,{}]", out_c, in_c);
    const char *axis = in_rows ? "h" : "w", *before = in_rows ? "top" : "left",
               *after = in_rows ? "bottom" : "right";
    return fmt::format(
        "const %w{0} : s8{1}{2} = random\nnode \"n{0}\" %y{0} : s8{3}{4} = conv2d(%y{5}, %w{0}, "
        "_) stride_{6}={7} pad_{8}=2 pad_{9}=2\n",
        index, filter, kWeights, image(steps, out_c), kQuant, index - 1, axis, stride, before,
        after);
  };
  return graph_of("input %y0 : s8" + image(512, 4) + kQuant + "\n" + conv(1, 4, 32, 1, 512) +
                  conv(2, 32, 32, 1, 512) + conv(3, 32, 16, 4, 128) + "output %y3\n");
}

Result<Planned> plan_for(const Graph& graph, int64_t max_ram_bytes) {
  Result<Target> target = find_target("mps2-an386");
  EXPECT_TRUE(target.ok());
  CompileOptions options;
  options.max_ram_bytes = max_ram_bytes;
  return lower_and_plan(graph, *target, options);
}

TEST(LowerAndPlan, OneRowRunsInBandsWhereRamIsShort) {
  const Graph columns = one_dimensional(false), rows = one_dimensional(true);
  const int64_t free_bytes = plan_for(columns, 0)->plan.arena_bytes;
  const int64_t least_bytes = plan_for(columns, 1)->plan.arena_bytes;
  EXPECT_GT(free_bytes, 15'000);
  EXPECT_LT(least_bytes, 8'000);
  EXPECT_LE(least_bytes, plan_for(rows, 1)->plan.arena_bytes);
  int64_t before = 0;
  for (int64_t arena = least_bytes; arena < free_bytes + 2000; arena += 1000) {
    Result<Planned> planned = plan_for(columns, arena + 1024);
    ASSERT_TRUE(planned.ok());
    EXPECT_TRUE(check_plan(planned->program, planned->plan).ok());
    EXPECT_LE(planned->plan.arena_bytes, arena);
    EXPECT_GE(planned->plan.arena_bytes, before);
    before = planned->plan.arena_bytes;
  }
  EXPECT_EQ(before, free_bytes);
}

// Both are the same model.
TEST(LowerAndPlan, TheFasterWayDoesNotDependOnTheFormat) {
  const Result<Planned> columns = plan_for(one_dimensional(false), 0),
                        rows = plan_for(one_dimensional(true), 0);
  ASSERT_TRUE(columns.ok() && rows.ok());
  ASSERT_EQ(columns->program.calls.size(), rows->program.calls.size());
  for (size_t i = 0; i < rows->program.calls.size(); ++i)
    EXPECT_EQ(columns->program.calls[i].cycles, rows->program.calls[i].cycles);
  EXPECT_EQ(columns->plan.arena_bytes, rows->plan.arena_bytes);
}

}  // namespace
}  // namespace nibble
