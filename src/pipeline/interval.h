// How far figures measured on samples can be from what they stand for: intervals of 95 %.
#pragma once

#include <span>

namespace nibble {

struct Interval {
  double low = 0, high = 0;
  double half_width() const { return (high - low) / 2; }
};

// Of a share `hits / count` (Wilson 1927): with z = 1.96 the p for which
//   |p - hits / count| <= z sqrt(p (1 - p) / count).
// All of few samples right is no certainty, which p +- z sqrt(p (1 - p) / count) would call it.
Interval share_interval(double hits, double count);

// Of the mean of values: mean +- z s / sqrt(n). One value: everything.
Interval mean_interval(std::span<const double> values);

// Of the difference of two shares over the same samples, first minus second (Agresti and Min 2005:
// half a sample is added to each of the four cells; b and c count the samples that only the first,
// only the second has right):
//   (b - c) / n +- z sqrt(b + c - (b - c)^2 / n) / n.
// Far narrower than what the intervals of the two shares would say, as most samples agree.
Interval paired_share_interval(std::span<const double> first, std::span<const double> second);

// How much worse the second is than the first, of figures of the same samples: by
// paired_share_interval where they are hits (`shares`), else by the mean of second minus first.
Interval paired_loss_interval(bool shares, std::span<const double> first,
                              std::span<const double> second);

}  // namespace nibble
