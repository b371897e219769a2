// A histogram of bounded memory over a stream of values whose range is not known beforehand.
//
// The bin width is a power of two and the bins are aligned to zero: bin i covers [i*w, (i+1)*w).
// When a value falls outside the kMaxBins that are kept, the width doubles and neighbours merge,
// which loses nothing but resolution. The width is always the smallest that fits the values seen,
// so the result does not depend on the order of the data, and two histograms merge exactly.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace nibble {

class Histogram {
 public:
  static constexpr int64_t kMaxBins = 4096;

  // Values must be finite.
  void add(std::span<const float> values);
  void merge(const Histogram& other);
  // As if each value had come so often.
  void repeat(int64_t times);

  int64_t count() const { return count_; }
  float min() const { return min_; }
  float max() const { return max_; }
  // Bins from that of min() to that of max().
  std::span<const int64_t> bins() const { return bins_; }
  double bin_width() const;
  // Left edge of bins()[0].
  double first_edge() const { return static_cast<double>(first_) * bin_width(); }
  double bin_center(size_t bin) const {
    return first_edge() + (static_cast<double>(bin) + 0.5) * bin_width();
  }

 private:
  void cover(float low, float high);
  int64_t bin_of(float value) const;

  int exponent_ =
      std::numeric_limits<int>::min();  // width = 2^exponent_; min() means: no width chosen yet
  int64_t first_ = 0;                   // index of bins_[0] on the grid of the width
  std::vector<int64_t> bins_;
  int64_t count_ = 0;
  float min_ = std::numeric_limits<float>::infinity();
  float max_ = -std::numeric_limits<float>::infinity();
};

}  // namespace nibble
