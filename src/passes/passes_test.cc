// simplify as a whole, and every pass, on random graphs: the function stays the same, every state
// verifies, the end is reached and stable.
#include "passes/passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/ops.h"
#include "support/compare_graphs.h"
#include "support/random_graph.h"

namespace nibble {
namespace {

using testing::HasSubstr;

int count_op(const Graph& graph, std::string_view name) {
  return static_cast<int>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(),
                    [&](const Node& node) { return op_name(node.op) == name; }));
}

std::string text(const Graph& graph) {
  return print_graph(graph, {PrintOptions::Constants::kElided});
}

void check_seed(uint64_t seed, RandomGraphOptions options) {
  const Graph before = random_graph(seed, options);
  Graph after = before;
  SimplifyOptions simplify_options;
  simplify_options.verify_each = true;
  auto status = simplify(after, simplify_options);
  ASSERT_TRUE(status.ok()) << status.error().message << "\n" << text(before);
  expect_same_function(before, after, seed, 1e-4);
  if (testing::Test::HasFailure()) {
    FAIL() << "seed " << seed << "\n" << text(before) << "\n" << text(after);
  }
  EXPECT_EQ(count_op(after, "batch_norm"), 0);
  const std::string once = print_graph(after);
  ASSERT_TRUE(simplify(after).ok());
  EXPECT_EQ(print_graph(after), once) << "simplify is not idempotent, seed " << seed;
}

TEST(Simplify, RandomFloatGraphs) {
  for (uint64_t seed = 0; seed < 400 && !HasFailure(); ++seed) check_seed(seed, {});
}

TEST(Simplify, RandomIntegerGraphs) {
  RandomGraphOptions options;
  options.integer = true;
  for (uint64_t seed = 0; seed < 400 && !HasFailure(); ++seed) check_seed(seed, options);
}

// Without being asked: this is a development build. The observer stands for a pass that breaks the
// graph and says that it changed nothing.
TEST(Simplify, EveryPassIsVerified) {
  for (const Pass& pass : all_passes()) {
    Graph graph = random_graph(3);
    SimplifyOptions options;
    options.integer_ports = IntegerPorts::kOn;
    bool broken = false;
    options.observer = [&](std::string_view name, int, const Graph&) {
      if (name != pass.name || broken) return;
      broken = true;
      graph.nodes.back().inputs[0] = graph.nodes.back().outputs[0];
    };
    EXPECT_DEATH((void)simplify(graph, options),
                 "the pass " + std::string(pass.name) + " broke the graph: node '");
  }
}

// Every pass alone, whatever state the others would have left.
TEST(Simplify, EveryPassAloneKeepsTheFunction) {
  for (const Pass& pass : all_passes()) {
    for (uint64_t seed = 1000; seed < 1060; ++seed) {
      RandomGraphOptions options;
      options.integer = seed % 2 == 1;
      const Graph before = random_graph(seed, options);
      Graph after = before;
      int changes = pass.run(after);
      auto status = verify_graph(after, VerifyLevel::kImported);
      ASSERT_TRUE(status.ok()) << pass.name << ": " << status.error().message;
      if (changes == 0) {
        EXPECT_EQ(print_graph(after), print_graph(before)) << pass.name;
      }
      expect_same_function(before, after, seed, 1e-4);
      ASSERT_FALSE(HasFailure()) << pass.name << ", seed " << seed << "\n"
                                 << text(before) << "\n"
                                 << text(after);
    }
  }
}

TEST(Simplify, SkipAndObserver) {
  Graph graph = random_graph(5);
  SimplifyOptions options;
  options.skip = {"fold_affin"};
  auto status = simplify(graph, options);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("there is no pass 'fold_affin'; did you mean"));
  options.skip = {"layout"};
  std::vector<std::string> seen;
  options.observer = [&](std::string_view pass, int, const Graph&) { seen.emplace_back(pass); };
  ASSERT_TRUE(simplify(graph, options).ok());
  EXPECT_THAT(seen, testing::Contains("fold_affine"));
  EXPECT_THAT(seen, testing::Not(testing::Contains("layout")));
}

}  // namespace
}  // namespace nibble
