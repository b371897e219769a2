// Whoever stops nibble stops what it started: no emulator and no compiler runs on, no half-made
// file stays.
#include "cli.h"

namespace nibble {
namespace {

// Whatever nibble starts runs in a folder of its own below $TMPDIR. `children` prints the number of
// such processes; `settle N` waits until it is N (at most some 30 s).
constexpr const char* kHelpers = R"sh(
mkdir -p tmp && export TMPDIR="$PWD/tmp"
children() {
  local count=0 process
  for process in /proc/[0-9]*; do
    case $(readlink "$process/cwd" 2>/dev/null) in "$TMPDIR"/nibble-*) count=$((count + 1)) ;; esac
  done
  echo $count
}
settle() {
  local i
  for i in $(seq 100); do [ "$(children)" -eq "$1" ] && return; sleep 0.1; done
  echo "never $1 children, but $(children)"
}
running() { # waits until a process of this name runs below $TMPDIR
  local i process
  for i in $(seq 100); do
    for process in /proc/[0-9]*; do
      case $(readlink "$process/cwd" 2>/dev/null) in
        "$TMPDIR"/nibble-*) grep -q "$1" "$process/comm" 2>/dev/null && return ;;
      esac
    done
    sleep 0.1
  done
  echo "$1 was never started"
}
)sh";

class Interrupt : public Cli {
 protected:
  // The signal's number as the shell reports it, what is left in $TMPDIR, and complaints.
  ShellResult interrupted(const std::string& signal, const std::string& until,
                          const std::string& before = "") {
    quantize();
    return shell(std::string(kHelpers) + before +
                 "env --default-signal=INT,TERM nibble run q.nibble --target mps2-an386 --data "
                 "kws/test.npz 2>err &\nnibble=$!\n" +
                 until + "\nkill -" + signal +
                 " $nibble\nwait $nibble 2>/dev/null\necho code $?\nsettle 0\nls tmp");
  }
};

TEST_F(Interrupt, TheEmulatorEndsWithItOnTarget) {
  EXPECT_EQ(interrupted("TERM", "running qemu").out, "code 143\n");
  EXPECT_EQ(interrupted("INT", "running qemu").out, "code 130\n");
}

// The emulator cannot be left running even where nibble has no chance to clean up.
TEST_F(Interrupt, EvenIfItIsKilledOnTarget) {
  EXPECT_THAT(interrupted("KILL", "running qemu").out, testing::StartsWith("code 137\nnibble-"));
}

TEST_F(Interrupt, TheCompilerAndWhatItStartedEndWithItOnTarget) {
  const std::string slow_compiler =
      "mkdir -p slow && printf '#!/bin/bash\\ncase $1 in -print-*) echo "
      "/found ;; *) sleep 1000 ;; esac\\n' >slow/arm-none-eabi-gcc &&"
      " chmod +x slow/arm-none-eabi-gcc && export PATH=\"$PWD/slow:$PATH\"\n";
  EXPECT_EQ(interrupted("TERM", "running sleep", slow_compiler).out, "code 143\n");
}

// Like other programs, it does not take back what its parent told it to ignore.
TEST_F(Interrupt, AnIgnoredSignalStaysIgnored) {
  ShellResult result = shell(
      "mkfifo pipe\n(trap '' HUP; exec nibble inspect pipe) 2>err &\nnibble=$!\nsleep 0.3\n"
      "kill -HUP $nibble\nsleep 0.2\necho nonsense >pipe\nwait $nibble\necho code $?");
  EXPECT_EQ(result.out, "code 1\n") << slurp(folder_ / "err");
}

}  // namespace
}  // namespace nibble
