// Which parameters belong to which element of a quantized tensor.
#include <algorithm>

#include "graph/tensor.h"

namespace nibble {

bool QuantParams::is_plain() const {
  return codebook.empty() && group_factor.empty() &&
         std::ranges::all_of(zero_point, [](int32_t zero) { return zero == 0; });
}

QuantIndex::QuantIndex(const Shape& shape, const QuantParams& quant) : group_(quant.group) {
  inner_ = channel_elems_ = std::max<int64_t>(elem_count(shape), 1);
  if (!quant.per_tensor()) {
    const auto axis = static_cast<size_t>(quant.axis);
    NIBBLE_CHECK(axis < shape.size(), "axis {} of {}", axis, format_shape(shape));
    channels_ = shape[axis];
    inner_ = 1;
    for (size_t i = axis + 1; i < shape.size(); ++i) inner_ *= shape[i];
    channel_elems_ /= std::max<int64_t>(channels_, 1);
  }
  if (group_ > 0) runs_ = (channel_elems_ + group_ - 1) / group_;
}

size_t QuantIndex::run(int64_t elem) const {
  const int64_t channel = elem / inner_ % channels_;
  const int64_t place = elem / (inner_ * channels_) * inner_ + elem % inner_;
  return static_cast<size_t>(channel * runs_ + place / group_);
}

}  // namespace nibble
