// Moving the elements of constants at import: slicing, joining, broadcasting.
#include <fmt/format.h>

#include <algorithm>

#include "formats/onnx/importer.h"

namespace nibble {
namespace {

Shape row_major_strides(const Shape& shape) {
  Shape stride(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) stride[i - 1] = stride[i] * shape[i];
  return stride;
}

// Fills `dst` from the elements of `src` at start + sum of index[i] * stride[i].
void gather(const Tensor& src, int64_t start, const Shape& stride, Tensor& dst) {
  auto width = static_cast<size_t>(dtype_bytes(src.dtype()));
  const Shape& shape = dst.shape();
  Shape index(shape.size(), 0);
  auto from = src.bytes();
  auto to = dst.mutable_bytes();
  int64_t position = start;
  for (size_t done = 0; done < to.size(); done += width) {
    std::memcpy(&to[done], &from[static_cast<size_t>(position) * width], width);
    for (size_t i = shape.size(); i-- > 0;) {
      position += stride[i];
      if (++index[i] < shape[i]) break;
      position -= stride[i] * shape[i];
      index[i] = 0;
    }
  }
}

}  // namespace

Tensor slice_constant(const Tensor& src, const Slice& slice) {
  Shape stride = row_major_strides(src.shape());
  int64_t start = 0;
  for (size_t i = 0; i < stride.size(); ++i) {
    start += slice.begin[i] * stride[i];
    stride[i] *= slice.step[i];
  }
  Tensor dst(TensorType{slice.extent, src.dtype(), src.type().quant});
  if (dst.size() != 0) gather(src, start, stride, dst);
  return dst;
}

Tensor concat_constants(const std::vector<Tensor>& parts, size_t axis) {
  Shape shape = parts[0].shape();
  shape[axis] = 0;
  for (const Tensor& part : parts) shape[axis] += part.shape()[axis];
  Tensor dst(TensorType{shape, parts[0].dtype(), parts[0].type().quant});
  auto to = dst.mutable_bytes();
  size_t outer = 1;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(shape[i]);
  size_t done = 0;
  for (size_t row = 0; row < outer; ++row)
    for (const Tensor& part : parts) {
      size_t block = part.bytes().size() / outer;
      std::copy_n(part.bytes().begin() + static_cast<int64_t>(row * block), block,
                  to.begin() + static_cast<int64_t>(done));
      done += block;
    }
  return dst;
}

Result<Shape> broadcast_shapes(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < result.size(); ++i) {
    int64_t left = i < a.size() ? a[a.size() - 1 - i] : 1;
    int64_t right = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (left != right && left != 1 && right != 1)
      return input_error(
          fmt::format("{} and {} do not broadcast", format_shape(a), format_shape(b)));
    result[result.size() - 1 - i] = left == 1 ? right : left;
  }
  return result;
}

Tensor broadcast_constant(const Tensor& src, const Shape& shape) {
  Shape own = row_major_strides(src.shape());
  Shape stride(shape.size(), 0);
  size_t lead = shape.size() - src.shape().size();
  for (size_t i = 0; i < own.size(); ++i) stride[lead + i] = src.shape()[i] == 1 ? 0 : own[i];
  Tensor dst(TensorType{shape, src.dtype(), std::nullopt});
  if (dst.size() != 0) gather(src, 0, stride, dst);
  return dst;
}

double element_real(const Tensor& tensor, int64_t index) {
  if (tensor.dtype() == DType::kF32)
    return static_cast<double>(tensor.data<float>()[static_cast<size_t>(index)]);
  return static_cast<double>(tensor.integer_at(index));
}

Result<size_t> checked_axis(int64_t axis, size_t rank) {
  auto extent = static_cast<int64_t>(rank);
  if (axis < -extent || axis >= extent)
    return input_error(fmt::format("axis {} is outside the {} axes of its operand", axis, rank));
  return static_cast<size_t>(axis < 0 ? axis + extent : axis);
}

}  // namespace nibble
