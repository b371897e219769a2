// copy_2d_s8 and copy_strided_s8 (and lookup_s8 in rows) against the integer references of
// transpose, slice and concat.
#include <numeric>

#include "support/kernel_runner.h"

namespace nibble {
namespace {

TEST(CopyKernels, Transpose) {
  int valid = compare_random_layers(600, [](Rng& rng) {
    Transpose transpose;
    Shape shape;
    auto rank = rng.integer(1, 6);
    for (int64_t i = 0; i < rank; ++i) shape.push_back(rng.integer(1, 5));
    transpose.perm.resize(static_cast<size_t>(rank));
    std::iota(transpose.perm.begin(), transpose.perm.end(), 0);
    for (int64_t i = rank - 1; i > 0; --i)
      std::swap(transpose.perm[static_cast<size_t>(i)],
                transpose.perm[static_cast<size_t>(rng.integer(0, i))]);
    QuantParams params = random_params(rng);
    return make_layer(transpose, {random_s8(rng, shape, params)}, params);
  });
  EXPECT_EQ(valid, 600);
}

TEST(CopyKernels, Slice) {
  int valid = compare_random_layers(800, [](Rng& rng) {
    Slice slice;
    Shape shape;
    auto rank = rng.integer(1, 5);
    for (int64_t i = 0; i < rank; ++i) {
      int64_t extent = rng.integer(1, 7);
      shape.push_back(extent);
      // Whole axes merge; the others start anywhere and step either way.
      int64_t begin = 0, step = 1, count = extent;
      if (rng.next() % 2) {
        begin = rng.integer(0, extent - 1);
        step = rng.integer(-2, 2);
        if (step == 0) step = 1;
        int64_t room = step > 0 ? (extent - 1 - begin) / step : begin / -step;
        count = rng.integer(1, room + 1);
      }
      slice.begin.push_back(begin);
      slice.step.push_back(step);
      slice.extent.push_back(count);
    }
    QuantParams params = random_params(rng);
    return make_layer(slice, {random_s8(rng, shape, params)}, params);
  });
  EXPECT_EQ(valid, 800);
}

TEST(CopyKernels, Concat) {
  int valid = compare_random_layers(600, [](Rng& rng) {
    Shape shape;
    auto rank = rng.integer(1, 4);
    for (int64_t i = 0; i < rank; ++i) shape.push_back(rng.integer(1, 4));
    int64_t axis = rng.integer(0, rank - 1);
    QuantParams out = random_params(rng);
    std::vector<Tensor> operands;
    std::vector<bool> constant;
    for (int64_t i = rng.integer(1, 4); i > 0; --i) {
      Shape part = shape;
      part[static_cast<size_t>(axis)] = rng.integer(1, 5);
      // Operands with the output's parameters are copied, the others go through a table.
      operands.push_back(random_s8(rng, part, rng.next() % 2 ? out : random_params(rng)));
      constant.push_back(rng.next() % 5 == 0);
    }
    return make_layer(Concat{axis}, operands, out,
                      rng.next() % 4 ? Rounding::kTflite : Rounding::kSingle, constant);
  });
  EXPECT_EQ(valid, 600);
}

}  // namespace
}  // namespace nibble
