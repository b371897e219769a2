// Bookkeeping on shapes, evaluated while a .tflite file is read: SHAPE, PACK, STRIDED_SLICE and
// their kin on integers that are known by then. Also the index arithmetic of slices, which
// activations share. Inside formats/tflite only.
#pragma once

#include <span>
#include <vector>

#include "formats/tflite/model_file.h"

namespace nibble {

// Elements of a bookkeeping tensor at the most: shapes, axes and paddings are short; what is longer
// is data and does not belong here.
inline constexpr int64_t kMaxStatic = 4096;

// Integers known at import: the content of a bookkeeping tensor.
struct StaticArray {
  Shape shape;
  std::vector<int64_t> elems;  // row-major
};

// Whether `fold_operator` knows this operator when all its operands are static.
bool can_fold(tflite_file::Builtin code);

// One array per output. `in` has one element per operand. Errors speak of the operator's own terms.
Result<std::vector<StaticArray>> fold_operator(const TfliteOperator& op,
                                               std::span<const StaticArray> in);

// --- Slices
// Elements begin[i] + k*step[i], k in [0, extent[i]), of each axis; then the result is seen as
// `shape` (axes added or dropped).
struct SliceSpec {
  std::vector<int64_t> begin, extent, step;
  Shape shape;
};
SliceSpec whole_slice(const Shape& shape);
// STRIDED_SLICE with its masks, as TensorFlow defines it.
Result<SliceSpec> strided_slice_spec(const Shape& src, const StaticArray& begin,
                                     const StaticArray& end, const StaticArray& step,
                                     const tflite_file::StridedSlice* options);
// SLICE; a size of -1 means "to the end".
Result<SliceSpec> slice_spec(const Shape& src, const StaticArray& begin, const StaticArray& size);

// Error if there are more than kMaxRank axes.
Status check_rank(size_t rank);
// axis in [-rank, rank) as one in [0, rank).
Result<int64_t> normalize_axis(int64_t axis, size_t rank);
// RESHAPE: `wanted` with its -1 filled in.
Result<Shape> resolve_reshape(const Shape& src, std::span<const int64_t> wanted);
// SQUEEZE: no axes means all of extent one.
Result<Shape> squeeze_shape(const Shape& src, std::span<const int64_t> axes);
Result<Shape> expand_shape(const Shape& src, int64_t axis);
// The parts of SPLIT and SPLIT_V along an axis.
Result<std::vector<int64_t>> split_sizes(int64_t extent, std::span<const int64_t> sizes);

}  // namespace nibble
