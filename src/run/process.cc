#include "run/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

extern char** environ;

namespace nibble {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kWaitingMilliseconds = 200;
constexpr size_t kKeptOutput = size_t{1} << 20;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

using Clock = std::chrono::steady_clock;

void append_bounded(std::string& output, const char* data, size_t len) {
  output.append(data, len);
  if (output.size() > 2 * kKeptOutput) output.erase(0, output.size() - kKeptOutput);
}

// Reads until every writer has closed the pipe; false if the deadline came first.
bool drain(int fd, Clock::time_point deadline, std::string& output,
           const std::function<void()>& while_waiting) {
  char block[65536];
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{fd, POLLIN, 0};
    int ready = ::poll(&waiting, 1,
                       static_cast<int>(std::min<int64_t>(left.count(), kWaitingMilliseconds)));
    if (ready < 0 && errno != EINTR) return true;
    if (ready <= 0) {
      if (while_waiting) while_waiting();
      continue;
    }
    ssize_t got = ::read(fd, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    append_bounded(output, block, static_cast<size_t>(got));
  }
}

Result<pid_t> spawn(const std::vector<std::string>& arguments, const fs::path& directory,
                    int output_fd) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
  if (!directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
  pid_t pid = -1;
  int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return input_error(fmt::format("{} cannot be started: {}", arguments[0], std::strerror(error)));
  return pid;
}

}  // namespace

std::string ProcessResult::how_it_ended() const {
  if (timed_out) return fmt::format("did not end within {:.0f} s", seconds);
  if (signal != 0) return fmt::format("was ended by signal {} ({})", signal, strsignal(signal));
  return fmt::format("ended with code {}", exit_code);
}

std::optional<fs::path> find_program(const std::string& name) {
  auto usable = [](const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos)
    return usable(name) ? std::optional<fs::path>(name) : std::nullopt;
  const char* variable = std::getenv("PATH");
  for (const std::string& folder : split(variable ? variable : "/usr/bin:/bin", ':')) {
    fs::path path = fs::path(folder.empty() ? "." : folder) / name;
    if (usable(path)) return path;
  }
  return std::nullopt;
}

Result<ProcessResult> run_process(const std::vector<std::string>& arguments,
                                  const fs::path& directory, int timeout_seconds,
                                  const std::function<void()>& while_waiting) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return input_error(
        fmt::format("{} cannot be started: no pipe: {}", arguments[0], std::strerror(errno)));
  FileDescriptor read_end(ends[0]), write_end(ends[1]);
  auto start = Clock::now();
  NIBBLE_ASSIGN(pid_t pid, spawn(arguments, directory, write_end.get()));
  write_end.close();

  ProcessResult result;
  result.timed_out = !drain(read_end.get(), start + std::chrono::seconds(timeout_seconds),
                            result.output, while_waiting);
  if (result.timed_out) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

std::string last_lines(const std::string& output, int lines) {
  std::string_view text = trim(output);
  size_t at = text.size();
  for (int i = 0; i < lines && at != std::string_view::npos && at > 0; ++i)
    at = text.rfind('\n', at - 1);
  return std::string(at == std::string_view::npos || at == 0 ? text : text.substr(at + 1));
}

}  // namespace nibble
