#include "run/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/interrupt.h"
#include "base/text.h"

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

// Between fork and exec: nothing but system calls. Only returns if the program cannot be started.
void become(const char* path, char* const* argv, const char* directory, int output_fd,
            pid_t parent) {
  // A group of its own, so that what it starts in turn can be ended with it.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // ended before it could be told of
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int input_fd = ::open("/dev/null", O_RDONLY);
  if (input_fd < 0 || ::dup2(input_fd, STDIN_FILENO) < 0 || ::dup2(output_fd, STDOUT_FILENO) < 0 ||
      ::dup2(output_fd, STDERR_FILENO) < 0)
    return;
  if (*directory != 0 && ::chdir(directory) != 0) return;
  ::execv(path, argv);
}

// The child is killed with this program, however that ends.
Result<pid_t> spawn(const std::vector<std::string>& arguments, const fs::path& directory,
                    int output_fd) {
  auto refused = [&](int error) {
    return input_error(fmt::format("{} cannot be started: {}", arguments[0], std::strerror(error)));
  };
  std::optional<fs::path> program = find_program(arguments[0]);
  if (!program) return refused(ENOENT);
  std::error_code unknown;
  // Found from here, started from `directory`.
  const std::string path = fs::absolute(*program, unknown).string();
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return refused(errno);
  FileDescriptor read_end(ends[0]), write_end(ends[1]);
  pid_t parent = ::getpid();
  pid_t pid = ::fork();
  if (pid < 0) return refused(errno);
  if (pid == 0) {
    become(path.c_str(), argv.data(), directory.c_str(), output_fd, parent);
    int error = errno;
    [[maybe_unused]] ssize_t told = ::write(write_end.get(), &error, sizeof error);
    ::_exit(127);
  }
  ::setpgid(pid, pid);  // here too: whoever comes first
  kill_when_interrupted(pid);
  write_end.close();
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(read_end.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (got <= 0) return pid;  // closed by exec
  spare_when_interrupted(pid);
  ::waitpid(pid, nullptr, 0);
  return refused(error);
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
  if (result.timed_out) ::kill(-pid, SIGKILL);
  // Forgotten before its number can be given to another.
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  spare_when_interrupted(pid);
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
