#include <gtest/gtest.h>

#include "graph/graph.h"

namespace nibble {
namespace {

TEST(Permutations, AgainstDefinitions) {
  Tensor tensor = Tensor::of_floats({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  Tensor turned = transposed(tensor, {1, 0});
  auto data = turned.data<float>();
  EXPECT_EQ(std::vector<float>(data.begin(), data.end()), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(inverse({2, 0, 1}), (Perm{1, 2, 0}));
  EXPECT_EQ(composed({0, 3, 1, 2}, {0, 2, 3, 1}), (Perm{0, 1, 2, 3}));
  EXPECT_TRUE(moves_only_unit_axes({0, 3, 1, 2}, {1, 5, 7, 1}));
  EXPECT_TRUE(moves_only_unit_axes({0, 3, 1, 2}, {1, 1, 1, 9}));
  EXPECT_FALSE(moves_only_unit_axes({0, 3, 1, 2}, {1, 5, 7, 2}));
}

TEST(Permutations, QuantizationAxisMoves) {
  TensorType type{{2, 3, 4}, DType::kS8, QuantParams{}};
  type.quant->scale = {1, 2, 3};
  type.quant->zero_point = {0, 0, 0};
  type.quant->axis = 1;
  const TensorType moved = transposed(type, {2, 0, 1});
  EXPECT_EQ(moved.shape, (Shape{4, 2, 3}));
  EXPECT_EQ(moved.quant->axis, 2);
}

}  // namespace
}  // namespace nibble
