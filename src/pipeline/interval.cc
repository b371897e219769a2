#include "pipeline/interval.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace nibble {
namespace {

constexpr double kZ = 1.959963984540054;  // of 95 %

}  // namespace

Interval share_interval(double hits, double count) {
  const double share = hits / count, z2 = kZ * kZ;
  const double middle = (share + z2 / (2 * count)) / (1 + z2 / count);
  const double half =
      kZ * std::sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count);
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

Interval mean_interval(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (double value : values) mean += value / count;
  for (double value : values) squares += (value - mean) * (value - mean);
  if (values.size() < 2) return {-INFINITY, INFINITY};
  const double half = kZ * std::sqrt(squares / (count - 1) / count);
  return {mean - half, mean + half};
}

Interval paired_share_interval(std::span<const double> first, std::span<const double> second) {
  NIBBLE_CHECK(first.size() == second.size(), "{} and {}", first.size(), second.size());
  double b = 0.5, c = 0.5;
  for (size_t i = 0; i < first.size(); ++i) {
    b += first[i] > second[i];
    c += first[i] < second[i];
  }
  const double n = static_cast<double>(first.size()) + 2;
  const double middle = (b - c) / n;
  const double half = kZ * std::sqrt(b + c - (b - c) * (b - c) / n) / n;
  return {std::max(-1.0, middle - half), std::min(1.0, middle + half)};
}

Interval paired_loss_interval(bool shares, std::span<const double> first,
                              std::span<const double> second) {
  if (shares) return paired_share_interval(first, second);
  NIBBLE_CHECK(first.size() == second.size(), "{} and {} samples", first.size(), second.size());
  std::vector<double> added;
  for (size_t i = 0; i < first.size(); ++i) added.push_back(second[i] - first[i]);
  return mean_interval(added);
}

}  // namespace nibble
