// Library + harness + port → a linked firmware, and what its sections take of flash and RAM.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "emit/emit.h"
#include "graph/graph.h"
#include "run/elf.h"
#include "run/machines.h"
#include "run/run.h"
#include "target/target.h"

namespace nibble {

// What the library's layer hook becomes.
enum class Hooks {
  kNone,   // as the user's build has it
  kMarks,  // the address of the next instruction is noted; no instruction is added
  kTrace,  // a call that writes the arena to a host file
};

struct FirmwareMemory {
  uint32_t flash_origin = 0;
  int64_t flash_bytes = 0;
  uint32_t ram_origin = 0;
  int64_t ram_bytes = 0;
  int64_t stack_bytes = 0;
};

struct Firmware {
  std::filesystem::path path;
  ElfFile elf;
};

// Everything a firmware puts into the memories but the stack.
struct FirmwareSizes {
  FlashBytes flash;
  int64_t firmware_flash = 0;  // all of it, harness and start-up included
  int64_t arena = 0, static_data = 0, harness_data = 0;
  int64_t firmware_ram() const { return arena + static_data + harness_data; }
};

class FirmwareBuilder {
 public:
  // Writes the sources below `dir` and finds the compiler.
  static Result<FirmwareBuilder> create(const Library& library, const Program& program,
                                        const Target& target, const RunOptions& options,
                                        const std::filesystem::path& dir);
  // Errors: the library does not compile (with the log's path), or the firmware does not link.
  Result<Firmware> build(Hooks hooks, const FirmwareMemory& memory);
  // Regions so large that everything fits: for sizes that are exact whatever the target has.
  FirmwareMemory unlimited_memory() const;
  FirmwareMemory machine_memory() const;
  const Machine& machine() const { return *machine_; }
  FirmwareSizes sizes(const ElfFile& elf) const;

 private:
  FirmwareBuilder(const Library& library, const Program& program, const Target& target)
      : library_(&library), program_(&program), target_(&target) {}
  Status write_sources();
  Status compile(const std::filesystem::path& source, const std::string& object,
                 const std::vector<std::string>& extra_flags);
  Status compile_library(Hooks hooks);
  Status compile_harness(Hooks hooks);
  Status write_linker_script(const std::filesystem::path& path, const FirmwareMemory& memory);
  Status run_compiler(const std::vector<std::string>& arguments, const std::string& what);
  bool is_weight(const std::string& symbol) const;

  const Library* library_;
  const Program* program_;
  const Target* target_;
  const Toolchain* toolchain_ = nullptr;
  const Machine* machine_ = nullptr;
  std::string compiler_, level_;
  std::vector<std::string> include_flags_, link_flags_;
  std::filesystem::path dir_, ports_;
  std::vector<std::string> compiled_;  // objects that stand already
};

// The library's code and constants are the same bytes in both: the hooks changed nothing.
bool same_library_code(const ElfFile& a, const ElfFile& b);

// Addresses for the instruction counter: entry and return of the model, and each layer's end.
constexpr uint64_t kMarkEnter = 0x7FFFFFFE, kMarkReturn = 0x7FFFFFFF;  // ports/harness/marks.h
struct Mark {
  uint32_t address = 0;
  uint64_t id = 0;  // layer index, kMarkEnter or kMarkReturn
};
std::vector<Mark> firmware_marks(const ElfFile& elf, const Library& library);

}  // namespace nibble
