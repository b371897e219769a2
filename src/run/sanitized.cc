// run_on_host_sanitized: the emitted library as a program of this machine, under AddressSanitizer
// and UBSan.
#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "run/harness_model.h"
#include "run/machines.h"
#include "run/process.h"
#include "run/run.h"

namespace nibble {

namespace fs = std::filesystem;

namespace {

constexpr int kTimeoutSeconds = 3600;

Result<std::string> host_compiler() {
  for (const char* name : {"gcc", "clang"})
    if (auto path = find_program(name)) return path->string();
  return require_program("gcc", "gcc");
}

Status compile(const Library& library, const fs::path& dir, const std::string& compiler) {
  const fs::path ports = shipped_folder("ports");
  std::vector<std::string> arguments = {compiler,
                                        "-std=c11",
                                        "-O1",
                                        "-g1",
                                        "-fsanitize=address,undefined",
                                        "-fno-sanitize-recover=all",
                                        "-fno-omit-frame-pointer",
                                        "-D" + library.macro_prefix + "_ARENA_EXTERNAL",
                                        "-I.",
                                        "-I" + (ports / "harness").string(),
                                        library.name + ".c",
                                        (ports / "host" / "host.c").string(),
                                        "-o",
                                        "program"};
  NIBBLE_ASSIGN(ProcessResult ended, run_process(arguments, dir, 600));
  if (ended.succeeded()) return {};
  return input_error(
      fmt::format("compiling '{}' for this machine: {} {} (this is a bug of nibble):\n{}",
                  library.name, arguments[0], ended.how_it_ended(), last_lines(ended.output, 12)));
}

}  // namespace

Result<std::vector<std::vector<Tensor>>> run_on_host_sanitized(
    const Library& library, const Program& program,
    const std::vector<std::vector<Tensor>>& samples) {
  NIBBLE_TRY(check_samples(program, samples));
  NIBBLE_ASSIGN(std::string compiler, host_compiler());
  NIBBLE_ASSIGN(TempDir dir, TempDir::create());
  for (const EmittedFile& file : library.files) {
    std::error_code error;
    fs::create_directories((dir.path() / file.path).parent_path(), error);
    NIBBLE_TRY(write_text_file(dir.path() / file.path, file.text));
  }
  NIBBLE_TRY(write_text_file(dir.path() / "harness_model.h", harness_model(library)));
  NIBBLE_TRY(write_file(dir.path() / "input.bin", harness_input(samples)));
  NIBBLE_TRY(compile(library, dir.path(), compiler));
  NIBBLE_ASSIGN(ProcessResult ended,
                run_process({(dir.path() / "program").string()}, dir.path(), kTimeoutSeconds));
  if (!ended.succeeded())
    return input_error(fmt::format("'{}' under the sanitizers {} (this is a bug of nibble):\n{}",
                                   library.name, ended.how_it_ended(),
                                   ended.output.substr(0, 4000)));
  NIBBLE_ASSIGN(std::vector<uint8_t> bytes, read_file(dir.path() / "output.bin"));
  NIBBLE_ASSIGN(std::vector<HarnessSample> results, harness_output(bytes, program, samples.size()));
  std::vector<std::vector<Tensor>> outputs;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].status != 0)
      return input_error(
          fmt::format("{}_invoke returned {} for sample {}", library.name, results[i].status, i));
    outputs.push_back(std::move(results[i].outputs));
  }
  return outputs;
}

}  // namespace nibble
