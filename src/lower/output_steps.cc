#include "lower/output_steps.h"

#include <algorithm>
#include <cmath>

#include "common/output_s8.h"

namespace nibble {

void AccumulatorRange::add_product(int64_t weight, int in_zero) {
  int64_t least = weight * (-128 - in_zero), most = weight * (127 - in_zero);
  low += std::min(least, most);
  high += std::max(least, most);
}

std::vector<AccumulatorRange> accumulator_ranges(std::span<const int8_t> filter,
                                                 std::span<const int32_t> bias, size_t channels,
                                                 int in_zero) {
  std::vector<AccumulatorRange> ranges(channels);
  size_t taps = filter.size() / channels;
  for (size_t channel = 0; channel < channels; ++channel) {
    int64_t start = bias.empty() ? 0 : bias[channel];
    ranges[channel] = {start, start};
    for (int8_t weight : filter.subspan(channel * taps, taps))
      ranges[channel].add_product(weight, in_zero);
  }
  return ranges;
}

ChannelRescale ChannelRescale::of(const LayerView& layer, size_t channel) {
  return {layer.s32("multiplier")[channel], layer.s8("exponent")[channel],
          layer.int_field("rounding"),      layer.int_field("out_zero"),
          layer.int_field("act_min"),       layer.int_field("act_max")};
}

int ChannelRescale::output(int64_t acc) const {
  return nibble_output_s8(static_cast<int32_t>(acc), multiplier, exponent, rounding, zero, low,
                          high);
}

int64_t least_reaching(const ChannelRescale& rescale, AccumulatorRange range, int value) {
  int64_t below = range.low, above = range.high;  // output(below) < value <= output(above)
  // Real arithmetic says where, roundings move that by an accumulator or so.
  double guess = std::ceil(
      std::ldexp((value - 0.5 - rescale.zero) / rescale.multiplier, 31 - rescale.exponent));
  auto probe = static_cast<int64_t>(
      std::clamp(guess, static_cast<double>(below), static_cast<double>(above)));
  for (int64_t width = 1; above - below > 1;) {
    probe = std::clamp(probe, below + 1, above - 1);
    bool reaches = rescale.output(probe) >= value;
    (reaches ? above : below) = probe;
    if (above - below <= 2 * width) {
      probe = below + (above - below) / 2;
    } else {
      probe = reaches ? above - width : below + width;
      width *= 2;
    }
  }
  return above;
}

OutputSteps output_steps(const ChannelRescale& rescale, AccumulatorRange range) {
  OutputSteps steps{rescale.output(range.low), rescale.output(range.high), {}};
  for (int value = steps.first + 1; value <= steps.last; ++value) {
    steps.at.push_back(least_reaching(rescale, range, value));
    range.low = steps.at.back() - 1;
  }
  return steps;
}

}  // namespace nibble
