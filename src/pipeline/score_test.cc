// Which metric a data set allows for a model, and its value, against errors computed by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "pipeline/pipeline.h"
#include "support/graph_text.h"

namespace nibble {
namespace {

using testing::HasSubstr;

// What it computes is plain to see: values below 0 and above 6 are cut off.
Graph clamp_graph() {
  return graph_of(
      "input %x : f32[1,2]\n"
      "node \"c\" %y : f32[1,2] = clamp(%x) act=[0,6]\n"
      "output %y\n");
}
Graph dense_graph() {
  return graph_of(
      "input %x : f32[1,2]\n"
      "const %w : f32[3,2] = random\n"
      "node \"fc\" %y : f32[1,3] = dense(%x, %w, _)\n"
      "output %y\n");
}

Tensor floats(Shape shape, const std::vector<float>& values) {
  return Tensor::of_floats(std::move(shape), values);
}

class ScoreTest : public testing::Test {
 protected:
  ScoreTest() : temp_(TempDir::create()) {}

  // Of two samples, -1 2 and 3 8, which the clamp makes 0 2 and 3 6.
  Result<Score> score(const Graph& graph, std::optional<Tensor> y = {}) {
    std::filesystem::path path = temp_->path() / "a.npz";
    std::vector<NamedTensor> arrays = {{"x", floats({2, 2}, {-1, 2, 3, 8})}};
    if (y) arrays.push_back({"y", *y});
    EXPECT_TRUE(write_npz(path, arrays).ok());
    NIBBLE_ASSIGN(Dataset data, read_dataset(path, graph));
    return evaluate(graph, data);
  }

  Result<TempDir> temp_;
};

TEST_F(ScoreTest, TargetsGiveTheMeanSquaredErrorAgainstThem) {
  auto result = score(clamp_graph(), floats({2, 2}, {2, 2, 3, 9}));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "mse");
  EXPECT_FLOAT_EQ(static_cast<float>(result->value), (4 + 0 + 0 + 9) / 4.0f);
  EXPECT_EQ(result->samples, 2);
}

TEST_F(ScoreTest, WithoutLabelsTheInputIsWhatIsToComeBack) {
  auto result = score(clamp_graph());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "reconstruction_mse");
  EXPECT_FLOAT_EQ(static_cast<float>(result->value), (1 + 0 + 0 + 4) / 4.0f);
}

TEST_F(ScoreTest, ClassesGiveTheShareOfRightOnes) {
  auto result = score(clamp_graph(), floats({2}, {1, 0}));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "accuracy");
  EXPECT_EQ(result->value, 0.5);
  result = score(clamp_graph(), floats({2, 2}, {0, 1, 0, 1}));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "accuracy");
  EXPECT_EQ(result->value, 1);
}

TEST_F(ScoreTest, ClassesAreCountedByWhatTheyWereTakenFor) {
  const Graph graph = clamp_graph();
  Dataset data;
  std::vector<std::vector<Tensor>> outputs;
  for (const std::vector<float>& output :
       std::vector<std::vector<float>>{{0, 2}, {3, 6}, {6, 1}, {5, 5}})
    outputs.push_back({floats({1, 2}, output)});
  EXPECT_FALSE(count_confusion(graph, data, outputs, "float32"));
  data.labels = {1, 0, 0, 1};  // found: 1, 1, 0, and of equal ones the first
  data.class_names = {"no", "yes"};
  const std::optional<Confusion> found = count_confusion(graph, data, outputs, "float32");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->arithmetic, "float32");
  EXPECT_EQ(found->class_names, data.class_names);
  EXPECT_EQ(found->classes, 2);
  using Counts = std::map<std::pair<int64_t, int64_t>, int64_t>;
  EXPECT_EQ(found->counts, (Counts{{{0, 0}, 1}, {{0, 1}, 1}, {{1, 0}, 1}, {{1, 1}, 1}}));
}

TEST_F(ScoreTest, WhatCannotBeScoredIsComputedAndSaysWhy) {
  auto result = score(dense_graph());
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "none");
  EXPECT_EQ(result->samples, 2);
  EXPECT_EQ(result->why,
            "the data have no labels, and the output 1x3 is no reconstruction of the input 1x2");
  result = score(dense_graph(), floats({2, 4}, std::vector<float>(8, 0.5f)));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "none");
  EXPECT_THAT(result->why, HasSubstr("labels of 4 per sample"));
}

TEST_F(ScoreTest, QuantizedOutputsAreComparedAsRealNumbers) {
  Graph graph = graph_of(
      "input %x : f32[1,2]\n"
      "node \"q\" %y : s8[1,2] {scale=[0.5], zero_point=[-2], bits=8, range=[-128,127]} = "
      "quantize(%x)\n"
      "output %y\n");
  auto result = score(graph, floats({2, 2}, {-1, 2, 4, 8.5f}));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->metric, "mse");
  EXPECT_FLOAT_EQ(static_cast<float>(result->value), (1 + 0.25f) / 4.0f);
}

}  // namespace
}  // namespace nibble
