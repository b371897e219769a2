#include "quantize/bounds.h"

#include <algorithm>

#include "common/requant.h"

namespace nibble {

IntegerRange IntegerRange::with(int64_t value) const {
  return {std::min(min, value), std::max(max, value)};
}
IntegerRange IntegerRange::joined(IntegerRange other) const {
  return {std::min(min, other.min), std::max(max, other.max)};
}
IntegerRange IntegerRange::clamped(IntegerRange to) const {
  return {std::clamp(min, to.min, to.max), std::clamp(max, to.min, to.max)};
}
int64_t IntegerRange::reach() const { return std::max(std::abs(min), std::abs(max)); }

int bits_for(IntegerRange range) {
  int bits = 1;
  while (bits < 64 &&
         (range.min < -(int64_t{1} << (bits - 1)) || range.max > (int64_t{1} << (bits - 1)) - 1))
    ++bits;
  return bits;
}

std::vector<ChannelSums> channel_sums(const Tensor& filter, int channel_axis, IntegerRange inputs,
                                      int64_t zero_point, bool padded,
                                      const std::vector<int64_t>& bias) {
  const QuantParams& quant = *filter.type().quant;
  const QuantIndex index(filter.shape(), quant);
  const int64_t channels = filter.shape()[static_cast<size_t>(channel_axis)];
  int64_t inner = 1;
  for (size_t axis = static_cast<size_t>(channel_axis) + 1; axis < filter.shape().size(); ++axis)
    inner *= filter.shape()[axis];
  IntegerRange centred{inputs.min - zero_point, inputs.max - zero_point};
  if (padded) centred = centred.with(0);
  // A sum on the way lacks terms, as if they were zero. Padding is the zero point.
  const IntegerRange lacking = centred.with(0);
  IntegerRange raw = inputs.with(0);
  if (padded) raw = raw.with(zero_point);
  struct Terms {
    IntegerRange finished, partial, folded;
    int64_t sum = 0;
  };
  std::vector<Terms> terms(static_cast<size_t>(channels));
  auto add = [](IntegerRange& range, int64_t weight, IntegerRange values) {
    range.min += weight * (weight > 0 ? values.min : values.max);
    range.max += weight * (weight > 0 ? values.max : values.min);
  };
  for (int64_t i = 0; i < filter.size(); ++i) {
    int64_t weight = filter.integer_at(i) - quant.zero_point[index.channel(i)];
    if (quant.group > 0) weight *= quant.group_factor[index.run(i)];
    Terms& channel = terms[static_cast<size_t>(i / inner % channels)];
    add(channel.finished, weight, centred);
    add(channel.partial, weight, lacking);
    add(channel.folded, weight, raw);
    channel.sum += weight;
  }
  std::vector<ChannelSums> sums;
  for (size_t c = 0; c < terms.size(); ++c) {
    const Terms& channel = terms[c];
    const int64_t start = bias.empty() ? 0 : bias[c], folded = start - zero_point * channel.sum;
    auto from = [](IntegerRange range, int64_t first, int64_t second) {
      return IntegerRange{range.min + std::min(first, second), range.max + std::max(first, second)};
    };
    sums.push_back(
        {from(channel.finished, start, start), from(channel.partial, start, 0)
                                                   .joined(from(channel.folded, folded, folded))
                                                   .with(start)
                                                   .with(folded)});
  }
  return sums;
}

double FixedFactor::value() const {
  return std::ldexp(static_cast<double>(multiplier),
                    exponent - (rounding == NIBBLE_ROUNDING_REDUCED ? 15 : 31));
}

double FixedFactor::rounding_steps() const {
  if (rounding == NIBBLE_ROUNDING_TFLITE && exponent < 0) return 0.5 + std::ldexp(0.5, exponent);
  return 0.5;
}

RescalingBound rescaling_bound(double factor, const FixedFactor& fixed, double acc_reach,
                               double out_reach) {
  RescalingBound bound;
  const double reach = std::min(acc_reach * factor, out_reach);
  // A factor that became nothing loses all of it, and rounds nothing.
  bound.factor_steps = factor > 0 ? std::abs(fixed.value() / factor - 1) * reach : 0;
  bound.rounding_steps = fixed.multiplier == 0 ? 0 : fixed.rounding_steps();
  bound.steps = bound.factor_steps + bound.rounding_steps;
  return bound;
}

}  // namespace nibble
