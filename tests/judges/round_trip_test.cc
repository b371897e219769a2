// Models that nibble wrote as ONNX, read back by nibble: the same function. Float graphs within
// float's rounding; integer graphs to the last bit of what they compute with the rounding that
// readers of ONNX files take.
#include <gtest/gtest.h>

#include "formats/formats.h"
#include "passes/passes.h"
#include "support/compare_graphs.h"
#include "support/random_graph.h"

namespace nibble {
namespace {

Graph read_back(const Graph& graph) {
  Result<std::vector<uint8_t>> file = onnx_bytes(graph);
  EXPECT_TRUE(file.ok()) << file.error().message;
  if (!file.ok()) return graph;
  Result<Graph> read = parse_onnx(*file, graph.name);
  EXPECT_TRUE(read.ok()) << read.error().message;
  return read.ok() ? *read : graph;
}

class RoundTrip : public testing::TestWithParam<uint64_t> {};

TEST_P(RoundTrip, FloatGraph) {
  const Graph graph = random_graph(GetParam());
  const Graph imported = read_back(graph);
  expect_same_function(graph, imported, GetParam(), 1e-5);
  Graph simplified = imported;
  ASSERT_TRUE(simplify(simplified).ok());
  expect_same_function(graph, simplified, GetParam(), 1e-5);
}

TEST_P(RoundTrip, IntegerGraph) {
  Graph graph = random_graph(GetParam(), {.integer = true});
  graph.rounding = Rounding::kSingle;
  Graph read = read_back(graph);
  ASSERT_TRUE(simplify(read).ok());
  Rng rng(GetParam());
  std::vector<Tensor> inputs;
  for (const Port& port : graph.inputs)
    inputs.push_back(random_tensor(graph.type(port.value), rng));
  const std::vector<Tensor> want = run_in_file_layout(graph, inputs);
  for (Tensor& tensor : inputs) tensor = dequantize_tensor(tensor);
  const std::vector<Tensor> got = run_in_file_layout(read, inputs);
  ASSERT_EQ(want.size(), got.size());
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(want[i].shape(), got[i].shape());
    const Tensor steps =
        got[i].dtype() == DType::kF32 ? quantize_tensor(got[i], want[i].type()) : got[i];
    int64_t different = 0;
    for (int64_t k = 0; k < steps.size(); ++k)
      different += steps.integer_at(k) != want[i].integer_at(k);
    EXPECT_EQ(different, 0) << "output " << i << " of " << steps.size() << " elements\n"
                            << print_graph(graph) << print_graph(read);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, RoundTrip, testing::Range(uint64_t{1}, uint64_t{61}));

}  // namespace
}  // namespace nibble
