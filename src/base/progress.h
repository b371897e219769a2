// Progress on stderr: a bar where stderr is a terminal, nothing otherwise (so logs stay clean).
#pragma once

#include <cstdint>
#include <string>

namespace nibble {

class Progress {
 public:
  // `label` says what is counted ("calibrating"); total 0 means unknown.
  Progress(std::string label, int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Thread-safe. Redraws at most ten times a second.
  void add(int64_t done = 1);
  // Turns all bars off for the process (--quiet, --json to a terminal).
  static void disable();

 private:
  struct State;
  State* state_;
};

}  // namespace nibble
