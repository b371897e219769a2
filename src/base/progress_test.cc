// What a terminal sees of a progress bar, on a pseudo-terminal; and that a pipe sees nothing.
#include "base/progress.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace nibble {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

// Runs `body` with stderr going to `fd` and returns what arrives at `reader`. A terminal hands on
// what it is given some time later, so a mark is written last and waited for.
template <class Body>
std::string stderr_through(int fd, int reader, Body body) {
  constexpr std::string_view kMark = "<end>";
  int before = dup(STDERR_FILENO);
  dup2(fd, STDERR_FILENO);
  body();
  EXPECT_EQ(write(STDERR_FILENO, kMark.data(), kMark.size()), std::ssize(kMark));
  dup2(before, STDERR_FILENO);
  close(before);
  std::string text;
  while (!text.ends_with(kMark)) {
    char part[4096];
    ssize_t got = read(reader, part, sizeof part);
    if (got <= 0) {
      ADD_FAILURE() << "the mark does not arrive after: " << text;
      return text;
    }
    text.append(part, static_cast<size_t>(got));
  }
  text.resize(text.size() - kMark.size());
  return text;
}

void count_to_ten() {
  Progress progress("calibrating", 10);
  for (int i = 0; i < 10; ++i) progress.add();
}

TEST(Progress, NothingOnAPipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(stderr_through(ends[1], ends[0], count_to_ten), "");
  close(ends[0]);
  close(ends[1]);
}

TEST(Progress, BarOnATerminalUntilDisabled) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
    GTEST_SKIP() << "left out: no pseudo-terminals here";
  int line = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  ASSERT_GE(line, 0);
  setenv("TERM", "xterm", 1);
  std::string text = stderr_through(line, terminal, count_to_ten);
  EXPECT_THAT(text, HasSubstr("\rcalibrating [###..........................."));
  EXPECT_THAT(text, HasSubstr("] 1/10"));
  EXPECT_THAT(text, EndsWith("\r\x1b[K")) << "the line is wiped at the end";

  setenv("TERM", "dumb", 1);
  EXPECT_EQ(stderr_through(line, terminal, count_to_ten), "");
  setenv("TERM", "xterm", 1);
  Progress::disable();
  EXPECT_EQ(stderr_through(line, terminal, count_to_ten), "");
  close(line);
  close(terminal);
}

}  // namespace
}  // namespace nibble
