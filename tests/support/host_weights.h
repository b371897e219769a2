// Gives the layers of an integer graph weights that only the host computes with: zero points,
// groups with a factor each, more than 8 bits. Needs ops/.
#pragma once

#include "base/rng.h"
#include "ops/ops.h"

namespace nibble {

class HostWeights {
 public:
  HostWeights(Graph& graph, uint64_t seed) : graph_(graph), rng_(seed) {}

  // Every layer by one of the three; what was zero or a copy mostly stays one. A layer whose sums
  // would be too wide keeps its weights. How many layers were changed.
  int give() {
    int changed = 0;
    for (const Node& node : graph_.nodes) {
      const QuantRule rule = quant_rule(node.op);
      if (rule.weight < 0) continue;
      const ValueId id = node.inputs[static_cast<size_t>(rule.weight)];
      if (!graph_.is_constant(id) || graph_.type(id).dtype != DType::kS8) continue;
      const Tensor old = *graph_.value(id).constant;
      set(id, changed_weights(old, rule.weight_channel_axis));
      if (verify_graph(graph_, VerifyLevel::kImported).ok())
        ++changed;
      else
        set(id, old);
    }
    return changed;
  }

 private:
  void set(ValueId id, Tensor tensor) {
    graph_.value(id).type = tensor.type();
    graph_.value(id).constant = std::move(tensor);
  }

  Tensor changed_weights(const Tensor& old, int axis) {
    QuantParams params = *old.type().quant;
    params.q_min = -128;
    switch (rng_.integer(0, 2)) {
      case 0:
        return with_zero_points(old, params);
      case 1:
        return with_groups(old, params, axis);
      default:
        return widened(old, params);
    }
  }

  // The same weights, but where they leave the range.
  Tensor with_zero_points(const Tensor& old, QuantParams params) {
    for (int32_t& zero : params.zero_point)
      zero = static_cast<int32_t>(rng_.integer(0, 2) ? 5 : rng_.integer(-128, 127));
    Tensor result(TensorType{old.shape(), DType::kS8, params});
    const QuantIndex index(old.shape(), params);
    for (int64_t i = 0; i < old.size(); ++i)
      result.set_integer_at(
          i,
          std::clamp<int64_t>(old.integer_at(i) + params.zero_point[index.channel(i)], -128, 127));
    return result;
  }
  // All that a channel has in common stays so where the factors are the same.
  Tensor with_groups(const Tensor& old, QuantParams params, int axis) {
    if (params.per_tensor()) {
      params.axis = axis;
      const auto channels = static_cast<size_t>(old.shape()[static_cast<size_t>(axis)]);
      params.scale.assign(channels, params.scale[0]);
      params.zero_point.assign(channels, 0);
    }
    params.group = rng_.integer(2, 5);
    const QuantIndex index(old.shape(), params);
    const int64_t most = rng_.integer(0, 1) ? 1 : 3;
    for (int64_t i = 0; i < index.channels() * index.channel_runs(); ++i)
      params.group_factor.push_back(static_cast<int32_t>(rng_.integer(1, most)));
    Tensor result(TensorType{old.shape(), DType::kS8, params});
    for (int64_t i = 0; i < old.size(); ++i) result.set_integer_at(i, old.integer_at(i));
    return result;
  }
  Tensor widened(const Tensor& old, QuantParams params) {
    params.bits = 16;
    params.q_min = INT16_MIN;
    params.q_max = INT16_MAX;
    Tensor result(TensorType{old.shape(), DType::kS16, params});
    const int64_t factor = rng_.integer(1, 5);
    for (int64_t i = 0; i < old.size(); ++i) result.set_integer_at(i, factor * old.integer_at(i));
    return result;
  }

  Graph& graph_;
  Rng rng_;
};

}  // namespace nibble
