#include "lower/host/channel_products.h"

#include <algorithm>

#include "common/output_s8.h"
#include "lower/host/avx2.h"

namespace nibble {
namespace {

constexpr int32_t kRows = 4;  // that share each load of weights

std::vector<int32_t> padded(int32_t channels, auto&& value) {
  std::vector<int32_t> list(
      static_cast<size_t>((channels + kHostLanes - 1) / kHostLanes * kHostLanes));
  for (int32_t i = 0; i < channels; ++i) list[static_cast<size_t>(i)] = value(i);
  return list;
}

void multiply(const int16_t* rows, int32_t row_elems, int32_t count, const int16_t* weights,
              int32_t pairs, const int32_t* bias, int32_t* acc) {
  for (int32_t row = 0; row < count; ++row, rows += row_elems, acc += kHostLanes) {
    std::copy_n(bias, kHostLanes, acc);
    const int16_t* weight = weights;
    for (int32_t pair = 0; pair < pairs; ++pair)
      for (int32_t lane = 0; lane < kHostLanes; ++lane, weight += 2)
        acc[lane] += rows[2 * pair] * weight[0] + rows[2 * pair + 1] * weight[1];
  }
}

}  // namespace

HostOutput::HostOutput(int32_t channels, const int32_t* biases, const int32_t* multipliers,
                       const int8_t* exponents)
    : bias(padded(channels, [&](int32_t i) { return biases ? biases[i] : 0; })),
      multiplier(padded(channels, [&](int32_t i) { return multipliers[i]; })),
      exponent(padded(channels, [&](int32_t i) { return exponents[i]; })) {}

void HostOutput::write(const int32_t* acc, int32_t channel, int32_t count, int8_t* dst) const {
  const auto at = static_cast<size_t>(channel);
  if (host_has_avx2() && rounding == NIBBLE_ROUNDING_TFLITE) {
    alignas(8) int8_t lanes[kHostLanes];
    avx2::output_tflite(acc, &multiplier[at], &exponent[at], zero, act_min, act_max, lanes);
    std::copy_n(lanes, count, dst);
    return;
  }
  for (int32_t lane = 0; lane < count; ++lane) {
    const size_t i = at + static_cast<size_t>(lane);
    dst[lane] =
        nibble_output_s8(acc[lane], multiplier[i], exponent[i], rounding, zero, act_min, act_max);
  }
}

ChannelProducts::ChannelProducts(const int8_t* filter, int32_t channels, int32_t depth,
                                 HostOutput output)
    : channels_(channels), pairs_((depth + 1) / 2), output_(std::move(output)) {
  for (int32_t first = 0; first < channels; first += kHostLanes)
    for (int32_t k = 0; k < row_elems(); k += 2)
      for (int32_t lane = 0; lane < kHostLanes; ++lane)
        for (int32_t half = 0; half < 2; ++half) {
          const int32_t channel = first + lane, tap = k + half;
          const bool exists = channel < channels && tap < depth;
          weights_.push_back(exists ? filter[channel * depth + tap] : int8_t{0});
        }
}

void ChannelProducts::run(const int16_t* rows, int32_t count, int8_t* dst) const {
  int32_t acc[kRows * kHostLanes];
  for (int32_t row = 0; row < count; row += kRows) {
    const int32_t some = std::min(kRows, count - row);
    const int16_t* weights = weights_.data();
    for (int32_t first = 0; first < channels_; first += kHostLanes) {
      const int32_t* bias = &output_.bias[static_cast<size_t>(first)];
      if (host_has_avx2() && some == kRows)
        avx2::multiply_four(rows, row_elems(), weights, pairs_, bias, acc);
      else if (host_has_avx2())
        avx2::multiply(rows, row_elems(), some, weights, pairs_, bias, acc);
      else
        multiply(rows, row_elems(), some, weights, pairs_, bias, acc);
      for (int32_t i = 0; i < some; ++i)
        output_.write(acc + i * kHostLanes, first, std::min(kHostLanes, channels_ - first),
                      dst + i * channels_ + first);
      weights += pairs_ * 2 * kHostLanes;
    }
    rows += some * row_elems();
    dst += some * channels_;
  }
}

void centre_s8(std::span<const int8_t> src, int32_t zero, int16_t* dst) {
  for (int8_t elem : src) *dst++ = static_cast<int16_t>(elem - zero);
}

}  // namespace nibble
