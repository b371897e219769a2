// Runs another program and waits: no shell, output captured, killed at a deadline or when this
// program ends before it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace nibble {

struct ProcessResult {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;      // the signal that ended it, or 0
  bool timed_out = false;
  double seconds = 0;
  std::string
      output;  // standard output and standard error, as they came; the last megabyte of them
  bool succeeded() const { return exit_code == 0 && !timed_out; }
  // "ended with code 3", "was ended by signal 11 (Segmentation fault)", "did not end within 60 s"
  std::string how_it_ended() const;
};

// The path of a program found in $PATH (or of `name` itself if it has a '/').
std::optional<std::filesystem::path> find_program(const std::string& name);

// arguments[0] is the program. `directory` is where it runs; its standard input is empty.
// `while_waiting` is called a few times a second. At the deadline, and when this program is
// interrupted, whatever the program has started ends too. Errors: the program cannot be started.
Result<ProcessResult> run_process(const std::vector<std::string>& arguments,
                                  const std::filesystem::path& directory, int timeout_seconds,
                                  const std::function<void()>& while_waiting = {});

// The last `lines` lines of a program's output, for messages.
std::string last_lines(const std::string& output, int lines);

}  // namespace nibble
