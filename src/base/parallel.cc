// A pool of threads that lives as long as the process, fed with one parallel loop at a time.
#include "base/parallel.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace nibble {
namespace {

using Body = std::function<void(int64_t, int64_t, int)>;

// Enough blocks that uneven ones even out on any usual machine; a constant, because the number of
// blocks must not depend on the machine.
constexpr int64_t kMaxBlocks = 64;

int64_t block_count(int64_t count) { return std::min(count, kMaxBlocks); }

// Worker number of this thread while it executes blocks, else -1.
thread_local int current_worker = -1;

void run_block(const Body& body, int64_t count, int64_t block, int worker) {
  // count * 64 overflows only beyond 2^57 elements, more than any memory holds.
  int64_t blocks = block_count(count);
  body(count * block / blocks, count * (block + 1) / blocks, worker);
}

class Pool {
 public:
  explicit Pool(int workers) : owner_(getpid()) {
    for (int worker = 1; worker < workers; ++worker)
      threads_.emplace_back([this, worker] { serve(worker); });
  }
  ~Pool() {
    // A forked child inherits the object but none of the threads; joining them would wait for ever.
    if (getpid() != owner_) {
      for (auto& thread : threads_) thread.detach();
      return;
    }
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  bool usable() const { return !threads_.empty() && getpid() == owner_; }

  void run(int64_t count, const Body& body) {
    std::lock_guard one_loop_at_a_time(loop_mutex_);
    {
      std::lock_guard lock(mutex_);
      body_ = &body;
      count_ = count;
      next_block_ = 0;
      unfinished_ = block_count(count);
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return unfinished_ == 0; });
    body_ = nullptr;
  }

 private:
  void serve(int worker) {
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock,
                   [this] { return stopping_ || (body_ && next_block_ < block_count(count_)); });
        if (stopping_) return;
      }
      work(worker);
    }
  }

  // Takes blocks until none is left.
  void work(int worker) {
    current_worker = worker;
    std::unique_lock lock(mutex_);
    while (body_ && next_block_ < block_count(count_)) {
      const Body* body = body_;
      int64_t count = count_;
      int64_t block = next_block_++;
      lock.unlock();
      run_block(*body, count, block, worker);
      lock.lock();
      if (--unfinished_ == 0) done_.notify_all();
    }
    current_worker = -1;
  }

  const pid_t owner_;
  std::vector<std::thread> threads_;
  std::mutex loop_mutex_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  bool stopping_ = false;
  const Body* body_ = nullptr;
  int64_t count_ = 0;
  int64_t next_block_ = 0;
  int64_t unfinished_ = 0;
};

}  // namespace

int parallel_workers() {
  static const int workers = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return workers;
}

void parallel_for(int64_t count, const Body& body) {
  if (count <= 0) return;
  bool nested = current_worker >= 0;
  if (!nested && count == 1) {
    run_block(body, count, 0, 0);
    return;
  }
  if (!nested && parallel_workers() > 1) {
    static Pool pool(parallel_workers());
    if (pool.usable()) {
      pool.run(count, body);
      return;
    }
  }
  // A nested loop keeps the number of the worker it runs on, so that scratch by worker stays its
  // own.
  int outer = current_worker;
  current_worker = std::max(outer, 0);
  for (int64_t block = 0; block < block_count(count); ++block)
    run_block(body, count, block, current_worker);
  current_worker = outer;
}

}  // namespace nibble
