// What slices, splits, reshapes and squeezes mean: axes and extents only, shared by folded and real
// operators.
#include <algorithm>

#include "formats/tflite/fold.h"

namespace nibble {

Status check_rank(size_t rank) {
  if (rank > static_cast<size_t>(kMaxRank))
    return input_error(fmt::format("{} axes, at most {} are read", rank, kMaxRank));
  return {};
}

SliceSpec whole_slice(const Shape& shape) {
  return {std::vector<int64_t>(shape.size(), 0), shape, std::vector<int64_t>(shape.size(), 1),
          shape};
}

Result<int64_t> normalize_axis(int64_t axis, size_t rank) {
  auto axes = static_cast<int64_t>(rank);
  if (axis < -axes || axis >= axes)
    return input_error(fmt::format("axis {} of a tensor with {} axes", axis, rank));
  return axis < 0 ? axis + axes : axis;
}

Result<Shape> resolve_reshape(const Shape& src, std::span<const int64_t> wanted) {
  NIBBLE_TRY(check_rank(wanted.size()));
  Shape shape(wanted.begin(), wanted.end());
  int64_t known = 1, count = elem_count(src);
  int open = -1;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == -1 && open < 0) {
      open = static_cast<int>(axis);
    } else if (shape[axis] < 0 || __builtin_mul_overflow(known, shape[axis], &known)) {
      return input_error(fmt::format("the shape {} is not valid", format_shape(shape)));
    }
  }
  if (open >= 0 && known > 0) {
    shape[static_cast<size_t>(open)] = count / known;
    known *= count / known;
  }
  if (known != count)
    return input_error(fmt::format("{} elements ({}) do not fit the shape {}", count,
                                   format_shape(src), format_shape(shape)));
  return shape;
}

Result<Shape> squeeze_shape(const Shape& src, std::span<const int64_t> axes) {
  std::vector<bool> drop(src.size(), false);
  for (int64_t raw : axes) {
    NIBBLE_ASSIGN(int64_t axis, normalize_axis(raw, src.size()));
    if (src[static_cast<size_t>(axis)] != 1)
      return input_error(
          fmt::format("axis {} has extent {}, not 1", axis, src[static_cast<size_t>(axis)]));
    drop[static_cast<size_t>(axis)] = true;
  }
  Shape shape;
  for (size_t axis = 0; axis < src.size(); ++axis)
    if (axes.empty() ? src[axis] != 1 : !drop[axis]) shape.push_back(src[axis]);
  return shape;
}

Result<Shape> expand_shape(const Shape& src, int64_t axis) {
  NIBBLE_TRY(check_rank(src.size() + 1));
  NIBBLE_ASSIGN(int64_t place, normalize_axis(axis, src.size() + 1));
  Shape shape = src;
  shape.insert(shape.begin() + place, 1);
  return shape;
}

Result<std::vector<int64_t>> split_sizes(int64_t extent, std::span<const int64_t> sizes) {
  std::vector<int64_t> result(sizes.begin(), sizes.end());
  int64_t sum = 0;
  int64_t* open = nullptr;
  for (int64_t& size : result) {
    if (size == -1 && !open)
      open = &size;
    else if (size < 0 || size > extent)
      return input_error(fmt::format("a part of extent {} of {}", size, extent));
    else
      sum += size;
  }
  if (open) {
    *open = std::max<int64_t>(0, extent - sum);
    sum += *open;
  }
  if (sum != extent)
    return input_error(fmt::format("parts of {} in all from an extent of {}", sum, extent));
  return result;
}

Result<SliceSpec> slice_spec(const Shape& src, const StaticArray& begin, const StaticArray& size) {
  if (begin.elems.size() != src.size() || size.elems.size() != src.size())
    return input_error(fmt::format("{} begins and {} sizes for {} axes", begin.elems.size(),
                                   size.elems.size(), src.size()));
  SliceSpec spec = whole_slice(src);
  for (size_t axis = 0; axis < src.size(); ++axis) {
    int64_t first = begin.elems[axis], extent = size.elems[axis];
    if (first >= 0 && first <= src[axis] && extent == -1) extent = src[axis] - first;
    if (first < 0 || extent < 0 || first > src[axis] || extent > src[axis] - first)
      return input_error(fmt::format("begin {} and size {} on axis {} of extent {}", first, extent,
                                     axis, src[axis]));
    spec.begin[axis] = first;
    spec.extent[axis] = spec.shape[axis] = extent;
  }
  return spec;
}

namespace {

// One axis of a strided slice.
struct AxisSlice {
  int64_t begin, extent, step;
};

Result<AxisSlice> slice_axis(int64_t extent, int64_t begin, int64_t end, int64_t step,
                             bool from_start, bool to_end, bool single) {
  if (step == 0) return input_error("a step of zero");
  // No extent reaches this far, and sums of such numbers do not overflow.
  constexpr int64_t kFar = int64_t{1} << 40;
  begin = std::clamp(begin, -kFar, kFar);
  end = std::clamp(end, -kFar, kFar);
  step = std::clamp(step, -kFar, kFar);
  if (begin < 0) begin += extent;
  if (end < 0) end += extent;
  if (single) {
    if (from_start) begin = 0;
    if (begin < 0 || begin >= extent)
      return input_error(fmt::format("index {} of an extent of {}", begin, extent));
    return AxisSlice{begin, 1, 1};
  }
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  begin = from_start ? (step > 0 ? low : high) : std::clamp(begin, low, std::max(low, high));
  end = to_end ? (step > 0 ? high : low) : std::clamp(end, low, std::max(low, high));
  int64_t span = step > 0 ? end - begin : begin - end;
  int64_t stride = step > 0 ? step : -step;
  int64_t count = span > 0 ? (span + stride - 1) / stride : 0;
  return AxisSlice{count > 0 ? begin : 0, count, count > 1 ? step : 1};
}

bool bit(int mask, size_t index) { return index < 31 && (mask >> index & 1) != 0; }

}  // namespace

Result<SliceSpec> strided_slice_spec(const Shape& src, const StaticArray& begin,
                                     const StaticArray& end, const StaticArray& step,
                                     const tflite_file::StridedSlice* options) {
  size_t entries = begin.elems.size();
  if (end.elems.size() != entries || step.elems.size() != entries || entries > 31)
    return input_error("begin, end and step of different lengths");
  int ellipsis = options ? options->ellipsis_mask() : 0;
  int new_axis = options ? options->new_axis_mask() : 0;
  int shrink = options ? options->shrink_axis_mask() : 0;
  size_t consumed = 0;  // axes of src that entries name one by one
  for (size_t i = 0; i < entries; ++i) consumed += bit(ellipsis, i) || bit(new_axis, i) ? 0 : 1;
  if (consumed > src.size())
    return input_error(fmt::format("{} ranges for {} axes", consumed, src.size()));
  size_t unnamed = src.size() - consumed;

  SliceSpec spec;
  size_t axis = 0;
  auto keep = [&](size_t count) {
    for (; count > 0; --count, ++axis) {
      spec.begin.push_back(0);
      spec.extent.push_back(src[axis]);
      spec.step.push_back(1);
      spec.shape.push_back(src[axis]);
    }
  };
  for (size_t i = 0; i < entries; ++i) {
    if (bit(ellipsis, i)) {
      keep(unnamed);
      unnamed = 0;
      continue;
    }
    if (bit(new_axis, i)) {
      spec.shape.push_back(1);
      continue;
    }
    int64_t last = end.elems[i];
    if (options && options->offset() && __builtin_add_overflow(last, begin.elems[i], &last))
      return input_error("integer overflow in its ranges");
    NIBBLE_ASSIGN(AxisSlice range,
                  slice_axis(src[axis], begin.elems[i], last, step.elems[i],
                             bit(options ? options->begin_mask() : 0, i),
                             bit(options ? options->end_mask() : 0, i), bit(shrink, i)));
    spec.begin.push_back(range.begin);
    spec.extent.push_back(range.extent);
    spec.step.push_back(range.step);
    if (!bit(shrink, i)) spec.shape.push_back(range.extent);
    ++axis;
  }
  keep(unnamed);
  NIBBLE_TRY(check_rank(spec.shape.size()));
  return spec;
}

}  // namespace nibble
