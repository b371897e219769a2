// The integers that each weight of a tensor can be, and what they stand for. Inside quantize/ only.
#pragma once

#include <algorithm>
#include <cmath>

#include "graph/graph.h"
#include "ops/ops.h"

namespace nibble {

class ElementGrid {
 public:
  explicit ElementGrid(const TensorType& type)
      : params_(*type.quant), index_(type.shape, params_) {}

  double scale(int64_t elem) const {
    const auto scale = static_cast<double>(params_.scale[index_.channel(elem)]);
    return params_.group > 0 ? scale * params_.group_factor[index_.run(elem)] : scale;
  }
  // The value in steps of the scale, before it is rounded.
  double steps(double real, int64_t elem) const {
    return real / scale(elem) + params_.zero_point[index_.channel(elem)];
  }
  // The integer nearest to it that the weight can be.
  int32_t nearest(double real, int64_t elem) const { return allowed(steps(real, elem)); }
  int32_t allowed(double steps) const {
    if (params_.codebook.empty())
      return static_cast<int32_t>(
          std::clamp<double>(std::round(steps), params_.q_min, params_.q_max));
    return nearest_level(params_.codebook, steps);
  }
  double real(int32_t q, int64_t elem) const {
    return scale(elem) * (q - params_.zero_point[index_.channel(elem)]);
  }
  bool uniform() const { return params_.codebook.empty(); }
  int32_t q_min() const { return params_.q_min; }
  int32_t q_max() const { return params_.q_max; }

 private:
  const QuantParams params_;
  QuantIndex index_;
};

}  // namespace nibble
