#include "quantize/levels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace nibble {
namespace {

// Magnitudes and their opposites.
std::vector<int32_t> with_signs(const std::set<int32_t>& magnitudes) {
  std::set<int32_t> all;
  for (int32_t magnitude : magnitudes) {
    all.insert(magnitude);
    all.insert(-magnitude);
  }
  return {all.begin(), all.end()};
}

// Sums over bins, so that the cost of any run of them is known in a step.
struct Prefix {
  std::vector<double> count, sum, square;

  Prefix(std::span<const double> values, int32_t low, int32_t high) {
    const auto bins = static_cast<size_t>(high - low + 1);
    count.assign(bins + 1, 0);
    sum = square = count;
    for (double value : values) {
      const double clamped = std::clamp(std::round(value), double(low), double(high));
      const auto bin = static_cast<size_t>(clamped - low) + 1;
      count[bin] += 1;
      sum[bin] += value;
      square[bin] += value * value;
    }
    for (size_t i = 1; i <= bins; ++i) {
      count[i] += count[i - 1];
      sum[i] += sum[i - 1];
      square[i] += square[i - 1];
    }
  }
};

// The integer that stands for the bins [from, to), and the squared error it leaves.
struct Cluster {
  int32_t center = 0;
  double error = 0;
};

Cluster cluster(const Prefix& prefix, size_t from, size_t to, int32_t low, int32_t high) {
  const double count = prefix.count[to] - prefix.count[from];
  if (count == 0) return {low + static_cast<int32_t>(from), 0};
  const double sum = prefix.sum[to] - prefix.sum[from];
  const double square = prefix.square[to] - prefix.square[from];
  const double center = std::clamp(std::round(sum / count), double(low), double(high));
  return {static_cast<int32_t>(center), square - 2 * center * sum + center * center * count};
}

}  // namespace

std::vector<int32_t> power_of_two_levels(int bits) {
  // Beyond 15 magnitudes the largest would not fit 16 bits.
  const int magnitudes = std::min((1 << std::min(bits - 1, 4)) - 1, 15);
  std::set<int32_t> levels = {0};
  for (int k = 0; k < magnitudes; ++k) levels.insert(1 << k);
  return with_signs(levels);
}

std::vector<int32_t> additive_levels(int bits) {
  const int all = std::min(bits - 1, 6), for_a = (all + 1) / 2;
  const size_t most_a = (size_t{1} << for_a) - 1, most_b = (size_t{1} << (all - for_a)) - 1;
  const auto powers = static_cast<int>(most_a + most_b);
  std::vector<int32_t> a = {0}, b = {0};
  for (int k = powers - 1; k >= 0; --k) {
    const bool to_b = b.size() - 1 < most_b && (a.size() > b.size() || a.size() - 1 == most_a);
    (to_b ? b : a).push_back(1 << k);
  }
  std::set<int32_t> levels;
  for (int32_t first : a)
    for (int32_t second : b) levels.insert(first + second);
  return with_signs(levels);
}

std::vector<int32_t> codebook_levels(std::span<const double> values, int bits, int32_t q_min,
                                     int32_t q_max) {
  const auto bins = static_cast<size_t>(q_max - q_min + 1);
  const size_t count = std::min(size_t{1} << bits, bins);
  const Prefix prefix(values, q_min, q_max);
  // best[k][j]: the least error of the first j bins in k clusters; from[k][j]: where the last
  // begins.
  const double kNever = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(count + 1, std::vector<double>(bins + 1, kNever));
  std::vector<std::vector<size_t>> from(count + 1, std::vector<size_t>(bins + 1, 0));
  best[0][0] = 0;
  for (size_t k = 1; k <= count; ++k)
    for (size_t j = k; j <= bins; ++j)
      for (size_t i = k - 1; i < j; ++i) {
        if (best[k - 1][i] == kNever) continue;
        const double error = best[k - 1][i] + cluster(prefix, i, j, q_min, q_max).error;
        if (error >= best[k][j]) continue;
        best[k][j] = error;
        from[k][j] = i;
      }
  std::set<int32_t> levels;
  for (size_t k = count, j = bins; k > 0; j = from[k][j], --k)
    levels.insert(cluster(prefix, from[k][j], j, q_min, q_max).center);
  return {levels.begin(), levels.end()};
}

}  // namespace nibble
