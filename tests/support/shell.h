// Runs a shell command as a user would, with the built program on the path, and captures what it
// prints.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace nibble {

struct ShellResult {
  int exit_code = -1;  // 128 + signal for a crash
  std::string out, err;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void spill(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A fresh folder below the system's temporary one; the caller removes it.
inline std::filesystem::path scratch_folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "nibble-test-XXXXXX").string();
  return mkdtemp(pattern.data());
}

// `script` runs under bash in `folder`, with `program_folder` first on the path. Temporary files
// that it leaves behind, as the log of a failed compilation, go with it.
inline ShellResult run_shell(const std::string& script, const std::filesystem::path& folder,
                             const std::filesystem::path& program_folder) {
  std::filesystem::path scratch = scratch_folder();
  std::filesystem::create_directory(scratch / "tmp");
  spill(scratch / "script", "export TMPDIR='" + (scratch / "tmp").string() + "' PATH='" +
                                program_folder.string() + "':\"$PATH\"\ncd '" + folder.string() +
                                "'\n" + script + "\n");
  std::string command = "bash '" + (scratch / "script").string() + "' >'" +
                        (scratch / "out").string() + "' 2>'" + (scratch / "err").string() +
                        "' </dev/null";
  int status = std::system(command.c_str());
  ShellResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = slurp(scratch / "out");
  result.err = slurp(scratch / "err");
  std::filesystem::remove_all(scratch);
  return result;
}

}  // namespace nibble
