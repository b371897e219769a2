// A thread of its own waits for the signals, so that cleaning up may lock, allocate and walk
// directories, which a signal handler may not.
#include "base/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <set>
#include <thread>

namespace nibble {
namespace {

struct Registry {
  std::mutex mutex;
  std::set<std::filesystem::path> paths;
  std::set<pid_t> groups;
};

// Never destroyed: the waiting thread outlives the static objects.
Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  std::raise(signal);
  _exit(128 + signal);
}

void wait_for(sigset_t signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  // Held to the end: the other threads start and create nothing any more.
  registry().mutex.lock();
  for (pid_t group : registry().groups) kill(-group, SIGKILL);
  // Other threads may still be writing files into what is being removed.
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt)
    for (const std::filesystem::path& path : registry().paths) {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  end_by(signal);
}

}  // namespace

void clean_up_when_interrupted() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN)
      sigaddset(&signals, signal);
  }
  registry();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(wait_for, signals).detach();
}

void remove_when_interrupted(const std::filesystem::path& path) {
  std::lock_guard lock(registry().mutex);
  registry().paths.insert(path);
}

void keep_when_interrupted(const std::filesystem::path& path) {
  std::lock_guard lock(registry().mutex);
  registry().paths.erase(path);
}

void kill_when_interrupted(pid_t group) {
  std::lock_guard lock(registry().mutex);
  registry().groups.insert(group);
}

void spare_when_interrupted(pid_t group) {
  std::lock_guard lock(registry().mutex);
  registry().groups.erase(group);
}

}  // namespace nibble
