// Draws the progress bar on the one line of the terminal behind stderr, and wipes it at the end.
#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string_view>

namespace nibble {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kRedrawInterval = std::chrono::milliseconds(100);

std::atomic<bool> disabled = false;

bool stderr_is_terminal() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) && !(terminal && std::string_view(terminal) == "dumb");
}

size_t terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// A lost frame is no loss: errors are ignored.
void write_to_stderr(std::string_view text) {
  [[maybe_unused]] auto written = write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

struct Progress::State {
  std::string label;
  int64_t total = 0;
  Clock::time_point start = Clock::now();
  std::mutex mutex;
  int64_t done = 0;
  bool drawn = false;
  Clock::time_point last_draw;

  void draw() const {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start).count();
    std::string line;
    if (total > 0) {
      constexpr int64_t kBarWidth = 30;
      int64_t filled = std::clamp<int64_t>(done * kBarWidth / total, 0, kBarWidth);
      line = fmt::format("{} [{:#<{}}{:.<{}}] {}/{}  {} s", label, "", filled, "",
                         kBarWidth - filled, done, total, seconds);
    } else {
      line = fmt::format("{} {}  {} s", label, done, seconds);
    }
    // A line longer than the terminal would wrap and could not be wiped.
    line.resize(std::min(line.size(), terminal_columns() - 1));
    write_to_stderr("\r" + line + "\x1b[K");
  }
};

Progress::Progress(std::string label, int64_t total) : state_(nullptr) {
  if (disabled || !stderr_is_terminal()) return;
  state_ = new State;
  state_->label = std::move(label);
  state_->total = total;
}

Progress::~Progress() {
  if (state_ && state_->drawn) write_to_stderr("\r\x1b[K");
  delete state_;
}

void Progress::add(int64_t done) {
  if (!state_ || disabled) return;
  std::lock_guard lock(state_->mutex);
  state_->done += done;
  auto now = Clock::now();
  if (state_->drawn && now - state_->last_draw < kRedrawInterval) return;
  state_->draw();
  state_->drawn = true;
  state_->last_draw = now;
}

void Progress::disable() { disabled = true; }

}  // namespace nibble
