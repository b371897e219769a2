// What must not outlive the program when its user stops it (Ctrl-C, SIGTERM, a closed terminal):
// programs that it started and files that are only half of what they are to be.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace nibble {

// At the start of main, before any other thread: from now on an interruption kills and removes what
// is registered below, then ends the program by the same signal. A signal that the parent ignores
// (nohup) stays ignored. Signals are blocked in all threads: whoever starts a program unblocks them
// there (run/process does).
void clean_up_when_interrupted();

// A path is removed with its content; a process group gets SIGKILL.
void remove_when_interrupted(const std::filesystem::path& path);
void keep_when_interrupted(const std::filesystem::path& path);
void kill_when_interrupted(pid_t group);
void spare_when_interrupted(pid_t group);

// Registers a path for its lifetime.
class RemovedWhenInterrupted {
 public:
  explicit RemovedWhenInterrupted(std::filesystem::path path) : path_(std::move(path)) {
    remove_when_interrupted(path_);
  }
  RemovedWhenInterrupted(const RemovedWhenInterrupted&) = delete;
  RemovedWhenInterrupted& operator=(const RemovedWhenInterrupted&) = delete;
  ~RemovedWhenInterrupted() { keep_when_interrupted(path_); }

 private:
  std::filesystem::path path_;
};

}  // namespace nibble
