// How far dst may run into its source: by the formula, against a simulation of the bytes.
#include "graph/program.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace nibble {
namespace {

TEST(OverlapDistance, OfRowsOfAWindow) {
  // Rows of 10 bytes; row r of dst is written after rows r - 1 to r + 1 of src have been read.
  std::vector<AccessStep> progress;
  for (int64_t row = 0; row < 4; ++row) progress.push_back({10 * row, row < 3 ? 10 * row : 40});
  EXPECT_EQ(overlap_distance(progress, 40), 10);
  // Written while they are read: another row.
  EXPECT_EQ(overlap_distance(std::vector<AccessStep>{{10, 0}, {20, 10}, {30, 20}, {40, 40}}, 40),
            20);
}

TEST(OverlapDistance, NoMomentsNoOverlap) {
  EXPECT_EQ(overlap_distance({}, 12), 12);
  // All is read before anything is written.
  EXPECT_EQ(overlap_distance(std::vector<AccessStep>{{0, 12}}, 12), 0);
  EXPECT_EQ(overlap_distance(std::vector<AccessStep>{{0, 12}}, 20), 8);
}

// The least distance at which no read, as late as the moments allow, meets a write, as early as
// they allow.
int64_t simulated_distance(const std::vector<AccessStep>& progress, int64_t src_bytes,
                           int64_t dst_bytes) {
  for (int64_t distance = 0;; ++distance) {
    bool good = true;
    int64_t unread = 0;
    for (size_t k = 0; k <= progress.size(); ++k) {
      int64_t written = k < progress.size() ? progress[k].written_bytes : dst_bytes;
      for (int64_t i = 0; i < written; ++i)
        good = good && (i - distance < unread || i - distance >= src_bytes);
      if (k < progress.size()) unread = progress[k].unread_from_bytes;
    }
    if (good) return distance;
  }
}

TEST(OverlapDistance, EqualsTheSimulation) {
  Rng rng(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<AccessStep> progress;
    int64_t src_bytes = rng.integer(1, 30), dst_bytes = rng.integer(1, 30), written = 0, unread = 0;
    for (int64_t steps = rng.integer(0, 6); steps > 0; --steps) {
      written = rng.integer(written, dst_bytes);
      unread = rng.integer(unread, src_bytes);
      progress.push_back({written, unread});
    }
    int64_t distance = overlap_distance(progress, dst_bytes);
    // Beyond what the source holds nothing is asked for, but the formula may still count it.
    EXPECT_LE(simulated_distance(progress, src_bytes, dst_bytes), distance);
    if (unread < src_bytes) {
      EXPECT_EQ(simulated_distance(progress, src_bytes, dst_bytes), distance) << round;
    }
    std::vector<AccessStep> fewer = thin_out(progress, dst_bytes);
    EXPECT_LE(fewer.size(), progress.size());
    EXPECT_EQ(overlap_distance(fewer, dst_bytes), distance);
    std::vector<AccessStep> fewest = thin_out(progress, dst_bytes, 3);
    EXPECT_LE(fewest.size(), fewer.size());
    EXPECT_LE(overlap_distance(fewest, dst_bytes), distance + 3);
  }
}

}  // namespace
}  // namespace nibble
