// evaluate on graphs that the kernels take and on those that only the references compute.
#include <gtest/gtest.h>

#include <algorithm>

#include "pipeline/pipeline.h"
#include "support/float_network.h"

namespace nibble {
namespace {

Dataset random_dataset(int64_t count) {
  Rng rng(7);
  Dataset data;
  data.samples = random_tensor({count, 8, 8, 3}, -1, 1, rng);
  return data;
}

// The interpreter's outputs, byte for byte.
void expect_references(const Graph& graph) {
  const Dataset data = random_dataset(5);
  std::vector<std::vector<Tensor>> outputs;
  const Result<Score> score = evaluate(graph, data, &outputs);
  ASSERT_TRUE(score.ok()) << score.error().message;
  Interpreter interpreter(graph);
  for (int64_t i = 0; i < data.size(); ++i) {
    const Tensor sample = dataset_sample(data, i, graph);
    EXPECT_EQ(outputs[static_cast<size_t>(i)], interpreter.run({&sample, 1})) << i;
  }
}

Graph quantized(const std::vector<NamedValue>& settings) {
  QuantizeOptions options;
  for (const NamedValue& value : settings) {
    const Status applied = apply_named(options.all, value);
    EXPECT_TRUE(applied.ok()) << applied.error().message;
  }
  return *quantize(uneven_network(2), random_data(10, {1, 8, 8, 3}, 3), options);
}

bool all_taken(const Graph& graph) {
  return std::ranges::all_of(graph.nodes,
                             [&](const Node& node) { return kernels_take(graph, node); });
}

TEST(Evaluate, KernelsAndReferencesGiveTheSame) {
  for (const auto& settings : {std::vector<NamedValue>{},
                               {{"scheme", "16x8"}},
                               {{"scheme", "w3a5"}},
                               {{"weight-levels", "codebook"}, {"weight-bits", "3"}}}) {
    const Graph graph = quantized(settings);
    EXPECT_TRUE(all_taken(graph));
    expect_references(graph);
  }
}

TEST(Evaluate, WhatNoKernelTakesIsLeftToTheReferences) {
  for (const auto& settings : {std::vector<NamedValue>{{"weight-grid", "asymmetric"}},
                               {{"granularity", "group:4"}},
                               {{"scheme", "w12a8"}}}) {
    const Graph graph = quantized(settings);
    EXPECT_FALSE(all_taken(graph));
    expect_references(graph);
  }
}

TEST(Evaluate, AConstantOutputToo) {
  Graph graph = quantized({});
  graph.outputs.push_back(
      {append_constant(graph, "constant", Tensor::of_floats({2}, std::vector<float>{1, 2})), {}});
  const Dataset data = random_dataset(2);
  std::vector<std::vector<Tensor>> outputs;
  ASSERT_TRUE(evaluate(graph, data, &outputs).ok());
  EXPECT_EQ(outputs[1][1].data<float>()[1], 2);
}

}  // namespace
}  // namespace nibble
