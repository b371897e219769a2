// Element access of tensors and arithmetic on shapes.
#include "graph/tensor.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace nibble {

int64_t elem_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

std::optional<int64_t> checked_elem_count(const Shape& shape) {
  if (shape.size() > static_cast<size_t>(kMaxRank)) return std::nullopt;
  int64_t count = 1;
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0 || extent > kMaxElems) return std::nullopt;
    if (extent == 0) empty = true;
    // Zero extents do not excuse the others: a later reshape could use them.
    if (extent > 1 && count > kMaxElems / extent) return std::nullopt;
    if (extent > 1) count *= extent;
  }
  return empty ? 0 : count;
}

std::string format_shape(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (int64_t extent : shape) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

Shape without_ones(std::span<const int64_t> shape) {
  Shape kept;
  std::ranges::copy_if(shape, std::back_inserter(kept), [](int64_t extent) { return extent != 1; });
  return kept;
}

Tensor::Tensor(TensorType type) : type_(std::move(type)) {
  auto bytes = static_cast<size_t>(elem_count(type_.shape) * dtype_bytes(type_.dtype));
  bytes_ = std::make_shared<std::vector<uint8_t>>(bytes);
}

void Tensor::reshape(Shape shape) {
  NIBBLE_CHECK(elem_count(shape) == size(), "{} to {}", format_shape(type_.shape),
               format_shape(shape));
  type_.shape = std::move(shape);
}

std::span<uint8_t> Tensor::mutable_bytes() {
  if (!bytes_) bytes_ = std::make_shared<std::vector<uint8_t>>();
  if (bytes_.use_count() > 1) bytes_ = std::make_shared<std::vector<uint8_t>>(*bytes_);
  return *bytes_;
}

namespace {

template <class T>
T load(const uint8_t* address) {
  T value;
  std::memcpy(&value, address, sizeof value);
  return value;
}

}  // namespace

int64_t Tensor::integer_at(int64_t index) const {
  NIBBLE_CHECK(index >= 0 && index < size(), "element {} of {}", index, size());
  const uint8_t* address = bytes_->data() + index * dtype_bytes(type_.dtype);
  switch (type_.dtype) {
    case DType::kBool:
    case DType::kU8:
      return *address;
    case DType::kS1:
    case DType::kS2:
    case DType::kS4:
    case DType::kS8:
      return load<int8_t>(address);
    case DType::kS16:
      return load<int16_t>(address);
    case DType::kS32:
      return load<int32_t>(address);
    case DType::kS64:
      return load<int64_t>(address);
    case DType::kF32:
      break;
  }
  NIBBLE_UNREACHABLE("integer_at on {}", dtype_name(type_.dtype));
}

void Tensor::set_integer_at(int64_t index, int64_t value) {
  NIBBLE_CHECK(index >= 0 && index < size(), "element {} of {}", index, size());
  NIBBLE_CHECK(type_.dtype != DType::kF32, "set_integer_at on f32");
  // Little-endian host: the low bytes come first.
  int bytes = dtype_bytes(type_.dtype);
  std::memcpy(mutable_bytes().data() + index * bytes, &value, static_cast<size_t>(bytes));
}

bool Tensor::operator==(const Tensor& other) const {
  if (type_ != other.type_) return false;
  auto mine = bytes(), theirs = other.bytes();
  return mine.size() == theirs.size() &&
         (mine.empty() || std::memcmp(mine.data(), theirs.data(), mine.size()) == 0);
}

}  // namespace nibble
