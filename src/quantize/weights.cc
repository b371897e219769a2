// Weights as integers: their scales, zero points, groups and levels, and how they are rounded.
#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "quantize/levels.h"
#include "quantize/parameters.h"
#include "quantize/weight_grid.h"

namespace nibble {
namespace {

// A group's factor has 4 bits.
constexpr int32_t kMostFactor = 15;
// How much of the range the search for the least squared error tries to keep, in hundredths.
constexpr int kLeastShare = 30;

// The weights of each channel, in their order.
std::vector<std::vector<double>> by_channel(const Tensor& weight, const QuantParams& params) {
  const QuantIndex index(weight.shape(), params);
  std::vector<std::vector<double>> channels(static_cast<size_t>(index.channels()));
  auto values = weight.data<float>();
  for (size_t i = 0; i < values.size(); ++i)
    channels[index.channel(static_cast<int64_t>(i))].push_back(static_cast<double>(values[i]));
  return channels;
}

double largest(std::span<const double> values) {
  double most = 0;
  for (double value : values) most = std::max(most, std::abs(value));
  return most;
}

// The integers that levels and bits leave, and the one that the end of a symmetric range becomes.
QuantParams integers_of(const WeightSettings& settings) {
  QuantParams params = whole_range(settings.bits);
  if (settings.levels == Levels::kPowerOfTwo || settings.levels == Levels::kAdditive) {
    params.codebook = settings.levels == Levels::kPowerOfTwo ? power_of_two_levels(settings.bits)
                                                             : additive_levels(settings.bits);
    params.q_min = params.codebook.front();
    params.q_max = params.codebook.back();
    return params;
  }
  // Indices have the bits; what they stand for has 8.
  if (settings.levels == Levels::kCodebook) params.q_min = -(params.q_max = 127);
  if (settings.grid == Grid::kSymmetric && settings.narrow) params.q_min = -params.q_max;
  return params;
}

// Scale and zero point of one channel.
struct ChannelGrid {
  double scale = 0;
  int32_t zero_point = 0;
};

class ChannelFit {
 public:
  ChannelFit(const QuantParams& integers, const WeightSettings& settings)
      : integers_(integers), settings_(settings) {}

  ChannelGrid fit(std::span<const double> values) const {
    double low = 0, high = 0;
    for (double value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    ChannelGrid best = grid_of(low, high);
    if (settings_.range == WeightRange::kMax || best.scale == 0) return best;
    double least = error(values, best);
    for (int share = 99; share >= kLeastShare; --share) {
      const ChannelGrid tried = grid_of(low * share / 100, high * share / 100);
      const double found = error(values, tried);
      if (found >= least) continue;
      least = found;
      best = tried;
    }
    return best;
  }

 private:
  ChannelGrid grid_of(double low, double high) const {
    const double steps = integers_.q_max - integers_.q_min;
    ChannelGrid grid;
    if (settings_.grid == Grid::kAsymmetric && integers_.codebook.empty()) {
      grid.scale = allowed_scale((high - low) / steps, settings_.scales);
      if (grid.scale > 0)
        grid.zero_point =
            std::clamp(static_cast<int32_t>(std::lround(integers_.q_min - low / grid.scale)),
                       integers_.q_min, integers_.q_max);
    } else if (settings_.grid == Grid::kUnsigned && integers_.codebook.empty()) {
      grid.scale = allowed_scale(high / steps, settings_.scales);
      grid.zero_point = integers_.q_min;
    } else {
      grid.scale = allowed_scale(std::max(high, -low) / integers_.q_max, settings_.scales);
    }
    return grid;
  }

  double error(std::span<const double> values, const ChannelGrid& grid) const {
    if (grid.scale == 0) return INFINITY;
    double sum = 0;
    for (double value : values) {
      double q = value / grid.scale + grid.zero_point;
      q = integers_.codebook.empty() ? std::round(q) : nearest_level(integers_.codebook, q);
      q = std::clamp<double>(q, integers_.q_min, integers_.q_max);
      const double difference = value - grid.scale * (q - grid.zero_point);
      sum += difference * difference;
    }
    return sum;
  }

  const QuantParams& integers_;
  const WeightSettings& settings_;
};

// The factor of each run of the channel: that of the largest is kMostFactor; the scale becomes what
// factor 1 stands for.
void add_groups(const std::vector<std::vector<double>>& channels, QuantParams& params,
                int64_t group) {
  params.group = group;
  for (size_t channel = 0; channel < channels.size(); ++channel) {
    const std::vector<double>& values = channels[channel];
    const double most = largest(values);
    for (size_t start = 0; start < values.size(); start += static_cast<size_t>(group)) {
      const size_t end = std::min(values.size(), start + static_cast<size_t>(group));
      const double share =
          most > 0 ? largest(std::span(values).subspan(start, end - start)) / most : 1;
      params.group_factor.push_back(
          std::clamp(static_cast<int32_t>(std::ceil(share * kMostFactor)), 1, kMostFactor));
    }
    params.scale[channel] /= static_cast<float>(kMostFactor);
  }
}

double rounded(double value, ValueRounding rounding, Rng& rng) {
  switch (rounding) {
    case ValueRounding::kNearest:
      return std::round(value);
    case ValueRounding::kHalfEven:
      return std::nearbyint(value);
    case ValueRounding::kFloor:
      return std::floor(value);
    case ValueRounding::kStochastic:
      return std::floor(value + rng.uniform());
  }
  NIBBLE_UNREACHABLE("rounding {}", static_cast<int>(rounding));
}

}  // namespace

QuantParams weight_params(const Tensor& weight, int axis, const WeightSettings& settings) {
  QuantParams params = integers_of(settings);
  params.axis = settings.granularity == Granularity::kTensor ? -1 : axis;
  const std::vector<std::vector<double>> channels = by_channel(weight, params);
  const ChannelFit fit(params, settings);
  double overall = 0;
  for (const std::vector<double>& values : channels) {
    const ChannelGrid grid = fit.fit(values);
    overall = std::max(overall, grid.scale);
    params.scale.push_back(static_cast<float>(grid.scale));
    params.zero_point.push_back(grid.zero_point);
  }
  for (float& scale : params.scale) {
    if (scale <= 0) scale = overall > 0 ? static_cast<float>(overall) : 1.0f;
    scale = std::max(scale, kLeastScale);
  }
  if (settings.granularity == Granularity::kGroup) add_groups(channels, params, settings.group);
  if (settings.levels == Levels::kCodebook) {
    std::vector<double> steps;
    for (size_t channel = 0; channel < channels.size(); ++channel)
      for (double value : channels[channel])
        steps.push_back(value / static_cast<double>(params.scale[channel]));
    params.codebook = codebook_levels(steps, settings.bits, params.q_min, params.q_max);
  }
  return params;
}

Tensor quantize_weights(const Tensor& weight, const QuantParams& params,
                        const WeightSettings& settings, uint64_t seed) {
  const bool wide = params.q_max > INT8_MAX || params.q_min < INT8_MIN;
  const TensorType type{weight.shape(), wide ? DType::kS16 : DType::kS8, params};
  // A codebook has one nearest value; of float precision, as every import of weights.
  if (settings.rounding == ValueRounding::kNearest || !params.codebook.empty())
    return quantize_tensor(weight, type);
  Rng rng(seed);
  const QuantIndex index(weight.shape(), params);
  Tensor result(type);
  auto values = weight.data<float>();
  for (int64_t i = 0; i < weight.size(); ++i) {
    const size_t channel = index.channel(i);
    double scale = static_cast<double>(params.scale[channel]);
    if (params.group > 0) scale *= params.group_factor[index.run(i)];
    const double q = rounded(static_cast<double>(values[static_cast<size_t>(i)]) / scale,
                             settings.rounding, rng) +
                     params.zero_point[channel];
    result.set_integer_at(i,
                          static_cast<int64_t>(std::clamp<double>(q, params.q_min, params.q_max)));
  }
  return result;
}

}  // namespace nibble
