// What a value is (shape, element type, quantization) and, for constants and at run time, its
// elements.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"
#include "graph/dtype.h"

namespace nibble {

// Extents, outermost first. Rank 0 is a scalar. Activations of rank 4 are N H W C.
using Shape = std::vector<int64_t>;

// Product of the extents (1 for a scalar). Readers have checked that it does not overflow.
int64_t elem_count(const Shape& shape);
// What a file may ask for: a microcontroller's tensors are far below both. nullopt: a negative
// extent, more axes or more elements than that.
inline constexpr int64_t kMaxElems = (int64_t{1} << 31) - 1;
inline constexpr int64_t kMaxRank = 8;
std::optional<int64_t> checked_elem_count(const Shape& shape);
std::string format_shape(const Shape& shape);  // "1x32x32x3"
// Two shapes that differ in extents of one alone hold their elements in the same order.
Shape without_ones(std::span<const int64_t> shape);

// real = scale * (q - zero_point), q in [q_min, q_max].
// scale and zero_point have length one (axis = -1), or the extent of `axis`.
struct QuantParams {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  int axis = -1;
  int bits = 8;
  int32_t q_min = -128;
  int32_t q_max = 127;
  // Constants only. Not empty: the only values of q, ascending (a codebook; powers of two).
  std::vector<int32_t> codebook = {};
  // Constants only. Groups (Dai et al. 2021, VS-Quant: a factor of few bits below the channel's
  // scale): of each index of `axis`, or of the tensor where that is -1, the elements in row-major
  // order in runs of `group` (the last one may be shorter): real = scale * factor[run] * (q -
  // zero_point). group_factor holds the runs of index 0, then those of index 1, ...
  int64_t group = 0;
  std::vector<int32_t> group_factor = {};

  bool operator==(const QuantParams&) const = default;
  bool per_tensor() const { return axis < 0; }
  // One scale per channel or tensor, every q in [q_min, q_max], no zero points: what kernels take
  // as weights.
  bool is_plain() const;
};

// The most runs have this factor, so that an element times its factor stays within 16 bits.
inline constexpr int32_t kMaxGroupFactor = 255;

// Which scale, zero point and group factor belong to each element of a quantized tensor.
class QuantIndex {
 public:
  QuantIndex(const Shape& shape, const QuantParams& quant);
  // Index into scale and zero_point.
  size_t channel(int64_t elem) const { return static_cast<size_t>(elem / inner_ % channels_); }
  // Index into group_factor.
  size_t run(int64_t elem) const;
  int64_t channels() const { return channels_; }
  // Elements of one channel, and runs of one.
  int64_t channel_elems() const { return channel_elems_; }
  int64_t channel_runs() const { return runs_; }

 private:
  int64_t channels_ = 1, inner_ = 1, channel_elems_ = 1, group_ = 0, runs_ = 0;
};

struct TensorType {
  Shape shape;
  DType dtype = DType::kF32;
  std::optional<QuantParams> quant;  // integers that stand for reals; absent for indices and shapes

  bool operator==(const TensorType&) const = default;
};

// A type with its elements, row-major, shared on copy; mutable access copies when shared.
class Tensor {
 public:
  Tensor() = default;
  // Zero-filled.
  explicit Tensor(TensorType type);
  template <class T>
  static Tensor of(Shape shape, DType dtype, std::span<const T> elems) {
    Tensor tensor(TensorType{std::move(shape), dtype, std::nullopt});
    NIBBLE_CHECK(elems.size_bytes() == tensor.bytes().size(), "{} elements", elems.size());
    if (!elems.empty())
      std::memcpy(tensor.mutable_bytes().data(), elems.data(), elems.size_bytes());
    return tensor;
  }
  static Tensor of_floats(Shape shape, std::span<const float> elems) {
    return of<float>(std::move(shape), DType::kF32, elems);
  }

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  int64_t size() const { return elem_count(type_.shape); }
  // Quantization and shape may be restated as long as the bytes stay the same.
  void set_quant(std::optional<QuantParams> quant) { type_.quant = std::move(quant); }
  void reshape(Shape shape);

  std::span<const uint8_t> bytes() const {
    return bytes_ ? std::span<const uint8_t>(*bytes_) : std::span<const uint8_t>();
  }
  std::span<uint8_t> mutable_bytes();

  // The element type must have the size of T.
  template <class T>
  std::span<const T> data() const {
    NIBBLE_CHECK(sizeof(T) == static_cast<size_t>(dtype_bytes(type_.dtype)), "{} as {} bytes",
                 dtype_name(type_.dtype), sizeof(T));
    return {reinterpret_cast<const T*>(bytes().data()), static_cast<size_t>(size())};
  }
  template <class T>
  std::span<T> mutable_data() {
    NIBBLE_CHECK(sizeof(T) == static_cast<size_t>(dtype_bytes(type_.dtype)), "{} as {} bytes",
                 dtype_name(type_.dtype), sizeof(T));
    return {reinterpret_cast<T*>(mutable_bytes().data()), static_cast<size_t>(size())};
  }
  // Any integer element (or bool) widened.
  int64_t integer_at(int64_t index) const;
  void set_integer_at(int64_t index, int64_t value);

  bool operator==(const Tensor& other) const;

 private:
  TensorType type_;
  std::shared_ptr<std::vector<uint8_t>> bytes_;
};

}  // namespace nibble
