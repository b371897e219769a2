// What learning has finished, kept in a folder so that an interrupted run can go on. Inside
// pipeline/ only.
#pragma once

#include <filesystem>
#include <optional>

#include "pipeline/pipeline.h"

namespace nibble {

// FNV-1a over bytes and texts, in 16 hexadecimal digits.
class Fingerprint {
 public:
  void add(std::span<const uint8_t> bytes) {
    for (uint8_t byte : bytes) hash_ = (hash_ ^ byte) * 0x100000001b3;
  }
  void add(std::string_view text) {
    add(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  }
  std::string text() const;

 private:
  uint64_t hash_ = 0xcbf29ce484222325;
};

// How far learning has come.
struct LearningState {
  int64_t methods = 0;  // done
  int64_t blocks = 0;   // of the next one, done
  Graph integer;
  std::vector<LearnedMethod> learned;  // of all that is done
};

// A folder with state.json and the integer graph of that state. The graph is written first, under a
// name of its own, so that an interruption leaves one state or the other.
class Checkpoint {
 public:
  // Reads what the folder holds and writes nothing; empty: nothing is kept. `run`: of what the run
  // is given and asked for. Errors: no folder; no state of nibble's, or one of another run.
  static Result<Checkpoint> open(const std::string& folder, const std::string& run);
  // Before save(): makes the folder. `start`: of what learning starts from. Error: what was kept
  // started from something else.
  Status begin(const std::string& start);
  const std::optional<LearningState>& state() const { return state_; }
  Status save(LearningState state);

 private:
  std::filesystem::path graph_file() const;
  Error another_run() const;

  std::filesystem::path folder_;
  std::string run_, start_;
  std::string kept_start_;  // of the state that was read
  std::optional<LearningState> state_;
};

}  // namespace nibble
