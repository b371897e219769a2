// Every index exactly once, whatever the count; nested loops; determinism of the blocks.
#include "base/parallel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace nibble {
namespace {

TEST(ParallelFor, CoversEachIndexOnce) {
  for (int64_t count : {0, 1, 2, 63, 64, 65, 1000, 12345}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
    parallel_for(count, [&](int64_t begin, int64_t end, int worker) {
      EXPECT_LT(begin, end);
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, parallel_workers());
      for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
    });
    for (auto& times : seen) EXPECT_EQ(times, 1);
  }
}

TEST(ParallelFor, BlocksDependOnCountAlone) {
  auto blocks = [] {
    std::mutex mutex;
    std::set<std::pair<int64_t, int64_t>> result;
    parallel_for(1000, [&](int64_t begin, int64_t end, int) {
      std::lock_guard lock(mutex);
      result.insert({begin, end});
    });
    return result;
  };
  auto first = blocks();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(blocks(), first);
  // Inside another loop, where it runs serially, as well.
  parallel_for(3, [&](int64_t, int64_t, int) { EXPECT_EQ(blocks(), first); });
}

TEST(ParallelFor, NestedKeepsTheWorkersNumber) {
  parallel_for(100, [](int64_t, int64_t, int outer) {
    auto thread = std::this_thread::get_id();
    parallel_for(10, [&](int64_t, int64_t, int inner) {
      EXPECT_EQ(inner, outer);
      EXPECT_EQ(std::this_thread::get_id(), thread);
    });
  });
}

TEST(ParallelFor, ManyShortLoopsFromManyThreads) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> total = 0;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        parallel_for(7, [&](int64_t begin, int64_t end, int) { total += end - begin; });
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(total, 4 * 500 * 7);
}

TEST(ParallelFor, WorksInAForkedChild) {
  parallel_for(100, [](int64_t, int64_t, int) {});
  pid_t child = fork();
  if (child == 0) {
    int64_t total = 0;
    parallel_for(100, [&](int64_t begin, int64_t end, int) { total += end - begin; });
    _exit(total == 100 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace nibble
