// The channel passes on random integer networks with planted channels that are constant, saturated,
// copies or unread: the function stays to the last bit, and a good part of the weights goes.
#include <gtest/gtest.h>

#include "passes/list.h"
#include "passes/passes.h"
#include "passes/ranges.h"
#include "support/compare_graphs.h"
#include "support/host_weights.h"
#include "support/plant_channels.h"

namespace nibble {
namespace {

Graph planted_graph(uint64_t seed) {
  return planted_mobile_graph(seed, 2 + static_cast<int>(seed % 7));
}

int64_t weights(const Graph& graph) {
  int64_t sum = 0;
  for (const Node& node : graph.nodes)
    for (ValueId id : node.inputs)
      if (graph.is_constant(id)) sum += graph.value(id).constant->size();
  return sum;
}

std::string text(const Graph& graph) {
  return print_graph(graph, {PrintOptions::Constants::kElided});
}

TEST(DeadChannels, EveryPassAloneKeepsTheFunction) {
  int changed = 0;
  for (uint64_t seed = 0; seed < 400 && !HasFailure(); ++seed) {
    Graph before = planted_graph(seed), after = before;
    for (auto pass : {fold_constant_channels, merge_channels, remove_channels}) {
      changed += pass(after) > 0 ? 1 : 0;
      auto status = verify_graph(after, VerifyLevel::kImported);
      ASSERT_TRUE(status.ok()) << seed << ": " << status.error().message << text(after);
    }
    expect_same_function(before, after, seed);
    if (HasFailure()) FAIL() << "seed " << seed << "\n" << text(before) << "\n" << text(after);
  }
  EXPECT_GT(changed, 400);
}

TEST(DeadChannels, SimplifyRemovesThemAndComesToAnEnd) {
  int64_t weights_before = 0, weights_after = 0;
  for (uint64_t seed = 1000; seed < 1300 && !HasFailure(); ++seed) {
    Graph before = planted_graph(seed), after = before;
    SimplifyOptions options;
    options.verify_each = true;
    auto status = simplify(after, options);
    ASSERT_TRUE(status.ok()) << seed << ": " << status.error().message;
    expect_same_function(before, after, seed);
    if (HasFailure()) FAIL() << "seed " << seed << "\n" << text(before) << "\n" << text(after);
    weights_before += weights(before);
    weights_after += weights(after);
    const std::string once = print_graph(after);
    ASSERT_TRUE(simplify(after).ok());
    EXPECT_EQ(print_graph(after), once) << "not idempotent, seed " << seed;
  }
  EXPECT_LT(weights_after, weights_before * 6 / 10);
}

TEST(DeadChannels, CleanUpIsExactAndKeepsNames) {
  for (uint64_t seed = 3000; seed < 3150 && !HasFailure(); ++seed) {
    const Graph before = planted_graph(seed);
    Graph after = before;
    clean_up(after);
    ASSERT_TRUE(verify_graph(after, VerifyLevel::kQuantized).ok());
    expect_same_function(before, after, seed);
    for (const Node& node : after.nodes)
      EXPECT_TRUE(std::any_of(before.nodes.begin(), before.nodes.end(), [&](const Node& old) {
        return old.name == node.name;
      })) << node.name;
  }
}

// With zero points, groups and 16 bits too: what a layer computes is the same to the last bit, and
// what is dead beside such layers goes.
TEST(DeadChannels, CleanUpIsExactWhateverTheWeights) {
  int changed = 0, smaller = 0;
  for (uint64_t seed = 4000; seed < 4200 && !HasFailure(); ++seed) {
    Graph before = planted_graph(seed);
    changed += HostWeights(before, seed).give();
    Graph after = before;
    clean_up(after);
    const Status sound = verify_graph(after, VerifyLevel::kQuantized);
    ASSERT_TRUE(sound.ok()) << seed << ": " << sound.error().message;
    expect_same_function(before, after, seed);
    if (HasFailure()) FAIL() << "seed " << seed << "\n" << text(before) << "\n" << text(after);
    smaller += weights(after) < weights(before);
  }
  EXPECT_GT(changed, 400);
  EXPECT_GT(smaller, 50);
}

// The proof itself: no run leaves the ranges, and what the tightest cases are is reached.
TEST(DeadChannels, NoValueLeavesItsRange) {
  for (uint64_t seed = 2000; seed < 2150 && !HasFailure(); ++seed) {
    const Graph graph = planted_graph(seed);
    const auto ranges = element_ranges(graph);
    Rng rng(seed);
    for (int sample = 0; sample < 4; ++sample) {
      std::vector<Tensor> inputs;
      for (const Port& port : graph.inputs)
        inputs.push_back(random_tensor(graph.type(port.value), rng));
      // Inputs at both ends reach further than random ones.
      if (sample > 1)
        for (int64_t i = 0; i < inputs[0].size(); ++i)
          inputs[0].set_integer_at(i, rng.integer(0, 1) ? 127 : -128);
      Interpreter(graph).run(inputs, [&](const Node& node, std::span<const Tensor> outputs) {
        const auto& range = ranges[static_cast<size_t>(node.outputs[0])];
        ASSERT_TRUE(range) << node.name;
        for (int64_t i = 0; i < outputs[0].size(); ++i) {
          ASSERT_GE(outputs[0].integer_at(i), range->min.integer_at(i)) << node.name << " " << i;
          ASSERT_LE(outputs[0].integer_at(i), range->max.integer_at(i)) << node.name << " " << i;
        }
      });
    }
  }
}

}  // namespace
}  // namespace nibble
