// Streaming histogram: widening bins, exact merging.
#include "quantize/observers/histogram.h"

#include <algorithm>
#include <cmath>

namespace nibble {
namespace {

constexpr int kNoExponent = std::numeric_limits<int>::min();
// Below the smallest normal float there is nothing left to tell apart.
constexpr int kMinExponent = -140;

int64_t grid_index(double value, int exponent) {
  return static_cast<int64_t>(std::floor(std::ldexp(value, -exponent)));
}

// The smallest width whose grid covers [low, high] with kMaxBins.
int exponent_for(double low, double high) {
  double extent = std::max(high - low, std::max(std::abs(low), std::abs(high)) * 0x1p-23);
  int exponent = kMinExponent;
  if (extent > 0) {
    // Start below the answer, so that the loop finds the smallest.
    std::frexp(extent / static_cast<double>(Histogram::kMaxBins), &exponent);
    exponent = std::max(exponent - 2, kMinExponent);
  }
  while (grid_index(high, exponent) - grid_index(low, exponent) >= Histogram::kMaxBins) ++exponent;
  return exponent;
}

}  // namespace

double Histogram::bin_width() const {
  return exponent_ == kNoExponent ? 0 : std::ldexp(1.0, exponent_);
}

int64_t Histogram::bin_of(float value) const { return grid_index(value, exponent_) - first_; }

void Histogram::cover(float low, float high) {
  float new_min = std::min(min_, low);
  float new_max = std::max(max_, high);
  if (exponent_ != kNoExponent && new_min == min_ && new_max == max_) return;
  // A first, narrow batch must not choose a finer grid than the final range would: the smallest
  // exponent for a larger range is never smaller, so the grid after all data is the grid of the
  // whole range.
  int exponent = exponent_for(new_min, new_max);
  if (exponent_ != kNoExponent) exponent = std::max(exponent, exponent_);
  int64_t first = grid_index(new_min, exponent);
  int64_t last = grid_index(new_max, exponent);
  std::vector<int64_t> bins(static_cast<size_t>(last - first + 1), 0);
  if (exponent_ != kNoExponent) {
    int shift = exponent - exponent_;
    for (size_t i = 0; i < bins_.size(); ++i) {
      if (bins_[i] == 0) continue;
      int64_t old_index = first_ + static_cast<int64_t>(i);
      int64_t new_index = shift >= 62 ? (old_index < 0 ? -1 : 0) : old_index >> shift;
      bins[static_cast<size_t>(new_index - first)] += bins_[i];
    }
  }
  exponent_ = exponent;
  first_ = first;
  bins_ = std::move(bins);
  min_ = new_min;
  max_ = new_max;
}

void Histogram::add(std::span<const float> values) {
  if (values.empty()) return;
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  cover(*low, *high);
  // The float product is exact: the factor is a power of two (or the value is so small that it is
  // in bin 0 or -1).
  double inverse = std::ldexp(1.0, -exponent_);
  for (float value : values) {
    auto index = static_cast<int64_t>(std::floor(static_cast<double>(value) * inverse)) - first_;
    ++bins_[static_cast<size_t>(index)];
  }
  count_ += static_cast<int64_t>(values.size());
}

void Histogram::repeat(int64_t times) {
  if (times == 0) *this = Histogram();
  for (int64_t& bin : bins_) bin *= times;
  count_ *= times;
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    *this = other;
    return;
  }
  cover(other.min_, other.max_);
  if (other.exponent_ > exponent_) {
    Histogram widened = other;
    widened.cover(min_, max_);
    std::swap(*this, widened);
    merge(widened);
    return;
  }
  int shift = exponent_ - other.exponent_;
  for (size_t i = 0; i < other.bins_.size(); ++i) {
    int64_t index = (other.first_ + static_cast<int64_t>(i)) >> std::min(shift, 62);
    bins_[static_cast<size_t>(index - first_)] += other.bins_[i];
  }
  count_ += other.count_;
}

}  // namespace nibble
