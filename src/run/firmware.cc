#include "run/firmware.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "run/flash_owners.h"
#include "run/harness_model.h"
#include "run/process.h"

namespace nibble {

namespace fs = std::filesystem;

namespace {

constexpr int kCompileTimeoutSeconds = 600;
constexpr uint32_t kUnlimitedBytes = 256 << 20;
constexpr int64_t kMeasuringStackBytes = 64 << 10;

std::string_view hooks_name(Hooks hooks) {
  return hooks == Hooks::kNone ? "plain" : hooks == Hooks::kMarks ? "marked" : "traced";
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// The log outlives the build directory, because it is what a report of the bug needs.
std::string keep_log(const std::string& text) {
  Result<TempDir> dir = TempDir::create();
  if (!dir.ok() || !write_text_file(dir->path() / "compile.log", text).ok())
    return "(the log could not be written)";
  dir->keep();
  return (dir->path() / "compile.log").string();
}

// A compiler without its C library is no bug of ours: --specs=FILE must be found.
Status require_specs(const std::string& compiler, const std::vector<std::string>& flags,
                     const Toolchain& toolchain) {
  for (const std::string& flag : flags) {
    constexpr std::string_view kSpecs = "--specs=";
    if (!flag.starts_with(kSpecs)) continue;
    std::string file = flag.substr(kSpecs.size());
    NIBBLE_ASSIGN(ProcessResult found,
                  run_process({compiler, "-print-file-name=" + file}, {}, kCompileTimeoutSeconds));
    // The compiler gives the bare name back when it knows no such file.
    if (trim(found.output) == file)
      return input_error(
          fmt::format("{} finds no {}: its C library is missing; install the Debian packages {}",
                      fs::path(compiler).filename().string(), file, toolchain.packages));
  }
  return {};
}

// What a compiler needs to use the C library of another.
struct BorrowedLibrary {
  std::vector<std::string> include_flags, link_flags;
};

// Asks the other compiler for the commands that it would run.
Result<BorrowedLibrary> borrowed_library(const Toolchain& toolchain) {
  BorrowedLibrary library;
  std::vector<std::string> command = toolchain.library_of;
  if (command.empty()) return library;
  NIBBLE_ASSIGN(command[0], require_program(command[0], toolchain.packages));
  NIBBLE_TRY(require_specs(command[0], command, toolchain));
  for (const char* argument : {"-###", "-x", "c", "/dev/null", "-o", "/dev/null"})
    command.emplace_back(argument);
  NIBBLE_ASSIGN(ProcessResult shown, run_process(command, {}, kCompileTimeoutSeconds));
  bool include = false;
  for (const std::string& line : split(shown.output, '\n'))
    for (const std::string& word : split(line, ' ')) {
      if (include)
        for (const std::string& flag : {std::string("-isystem"), word})
          library.include_flags.push_back(flag);
      include = word == "-isystem";
      if (word.starts_with("-L")) library.link_flags.push_back(word);
    }
  return library;
}

}  // namespace

Result<FirmwareBuilder> FirmwareBuilder::create(const Library& library, const Program& program,
                                                const Target& target, const RunOptions& options,
                                                const fs::path& dir) {
  if (target.machine.empty())
    return input_error(fmt::format(
        "target '{}' has no emulated machine; `nibble targets` shows those that have one",
        target.name));
  FirmwareBuilder builder(library, program, target);
  auto machine = find_machine(target.machine);
  if (!machine.ok())
    return input_error(fmt::format("target '{}': {}", target.name, machine.error().message));
  builder.machine_ = *machine;
  if (builder.machine_->port != target.port)
    return input_error(fmt::format("target '{}': machine '{}' belongs to port '{}', not '{}'",
                                   target.name, target.machine, builder.machine_->port,
                                   target.port));
  NIBBLE_ASSIGN(builder.toolchain_, find_toolchain(target.toolchain));
  NIBBLE_ASSIGN(builder.compiler_,
                require_program(builder.toolchain_->compiler, builder.toolchain_->packages));
  const Toolchain& toolchain = *builder.toolchain_;
  NIBBLE_TRY(require_specs(builder.compiler_, toolchain.flags, toolchain));
  if (!toolchain.linker.empty()) NIBBLE_TRY(require_program(toolchain.linker, toolchain.packages));
  NIBBLE_ASSIGN(BorrowedLibrary borrowed, borrowed_library(toolchain));
  builder.include_flags_ = std::move(borrowed.include_flags);
  builder.link_flags_ = std::move(borrowed.link_flags);
  builder.link_flags_.insert(builder.link_flags_.end(), toolchain.link_flags.begin(),
                             toolchain.link_flags.end());
  builder.ports_ = shipped_folder("ports");
  if (builder.ports_.empty())
    return input_error(
        "the start-up code (folder ports/) is missing from this installation of nibble; install "
        "it again");
  builder.level_ = options.compiler_level;
  builder.dir_ = dir;
  NIBBLE_TRY(builder.write_sources());
  return builder;
}

Status FirmwareBuilder::write_sources() {
  std::error_code error;
  for (const EmittedFile& file : library_->files) {
    fs::path path = dir_ / file.path;
    fs::create_directories(path.parent_path(), error);
    NIBBLE_TRY(write_text_file(path, file.text));
  }
  return write_text_file(dir_ / "harness_model.h", harness_model(*library_));
}

Status FirmwareBuilder::run_compiler(const std::vector<std::string>& arguments,
                                     const std::string& what) {
  NIBBLE_ASSIGN(ProcessResult result, run_process(arguments, dir_, kCompileTimeoutSeconds));
  if (result.succeeded()) return {};
  std::string log = join(arguments, " ") + "\n" + result.output;
  return input_error(
      fmt::format("{}: {} {} (an emitted library always compiles: unless it was edited, or the "
                  "flags of target '{}' are wrong, this is a bug of nibble; log: {}):\n{}",
                  what, fs::path(arguments[0]).filename().string(), result.how_it_ended(),
                  target_->name, keep_log(log), last_lines(result.output, 12)));
}

Status FirmwareBuilder::compile(const fs::path& source, const std::string& object,
                                const std::vector<std::string>& extra_flags) {
  if (std::find(compiled_.begin(), compiled_.end(), object) != compiled_.end()) return {};
  std::vector<std::string> arguments = {compiler_};
  auto add = [&](const std::vector<std::string>& flags) {
    arguments.insert(arguments.end(), flags.begin(), flags.end());
  };
  add(toolchain_->flags);
  add(include_flags_);
  add(target_->compile_flags);
  add({"-std=c11", "-ffreestanding", "-Wall", "-Wextra", "-Wconversion", "-Werror",
       "-ffunction-sections", "-fdata-sections", "-I.", "-I" + (ports_ / "common").string(),
       "-I" + (ports_ / "harness").string()});
  add(extra_flags);
  add({"-c", source.string(), "-o", object});
  NIBBLE_TRY(
      run_compiler(arguments, fmt::format("compiling '{}' for {}", library_->name, target_->name)));
  compiled_.push_back(object);
  return {};
}

Status FirmwareBuilder::compile_library(Hooks hooks) {
  std::vector<std::string> flags = {"-fbuiltin", level_};
  std::string macro = "-D" + library_->macro_prefix + "_LAYER_HOOK(index)=";
  if (hooks == Hooks::kMarks)
    for (const std::string& flag :
         {std::string("-include"), std::string("marks.h"), macro + "NIBBLE_MARK_LAYER(index)"})
      flags.push_back(flag);
  if (hooks == Hooks::kTrace)
    for (const std::string& flag :
         {std::string("-include"), std::string("trace.h"),
          macro + "nibble_trace(index, arena, " + library_->macro_prefix + "_ARENA_BYTES)"})
      flags.push_back(flag);
  return compile(library_->name + ".c", fmt::format("nibble_library_{}.o", hooks_name(hooks)),
                 flags);
}

Status FirmwareBuilder::compile_harness(Hooks hooks) {
  // The compiler must not turn the harness's loops into calls of the C library: what the firmware
  // takes from it is what the model's library needs.
  std::vector<std::string> flags = {"-O2", "-fno-builtin"};
  // GCC does it even so; Clang knows no such flag.
  if (toolchain_->compiler.ends_with("gcc"))
    flags.emplace_back("-fno-tree-loop-distribute-patterns");
  NIBBLE_TRY(compile(ports_ / std::string(machine_->port) / "start.c", "start.o", flags));
  NIBBLE_TRY(compile(ports_ / "common" / "semihosting.c", "semihosting.o", flags));
  NIBBLE_TRY(compile(ports_ / "harness" / "harness.c", "harness.o", flags));
  if (hooks == Hooks::kTrace) NIBBLE_TRY(compile(ports_ / "harness" / "trace.c", "trace.o", flags));
  return {};
}

Status FirmwareBuilder::write_linker_script(const fs::path& path, const FirmwareMemory& memory) {
  NIBBLE_ASSIGN(std::string text,
                read_text_file(ports_ / std::string(machine_->port) / "memory.ld.in"));
  NIBBLE_ASSIGN(std::string sections, read_text_file(ports_ / "common" / "sections.ld.in"));
  text += "\n" + sections;
  bool own_vectors = machine_->vectors_origin != machine_->flash_origin;
  replace_all(text, "@VECTORS@", own_vectors ? "vectors" : "flash");
  replace_all(text, "@VECTORS_ORIGIN@", fmt::format("{:#x}", machine_->vectors_origin));
  replace_all(text, "@FLASH_ORIGIN@", fmt::format("{:#x}", memory.flash_origin));
  replace_all(text, "@FLASH_BYTES@", fmt::format("{}", memory.flash_bytes));
  replace_all(text, "@RAM_ORIGIN@", fmt::format("{:#x}", memory.ram_origin));
  replace_all(text, "@RAM_BYTES@", fmt::format("{}", memory.ram_bytes));
  replace_all(text, "@STACK_BYTES@", fmt::format("{}", memory.stack_bytes));
  return write_text_file(path, text);
}

Result<Firmware> FirmwareBuilder::build(Hooks hooks, const FirmwareMemory& memory) {
  NIBBLE_TRY(compile_library(hooks));
  NIBBLE_TRY(compile_harness(hooks));
  NIBBLE_TRY(write_linker_script(dir_ / "link.ld", memory));
  fs::path path = dir_ / fmt::format("firmware_{}.elf", hooks_name(hooks));
  std::vector<std::string> arguments = {compiler_};
  auto add = [&](const std::vector<std::string>& flags) {
    arguments.insert(arguments.end(), flags.begin(), flags.end());
  };
  add(toolchain_->flags);
  add(target_->compile_flags);
  add({"-nostartfiles", "-Wl,--gc-sections", "-Wl,--fatal-warnings"});
  // LLD has no such warning.
  if (toolchain_->linker.empty()) add({"-Wl,--no-warn-rwx-segments"});
  add({"-T", "link.ld", fmt::format("nibble_library_{}.o", hooks_name(hooks)), "harness.o",
       "semihosting.o", "start.o"});
  if (hooks == Hooks::kTrace) add({"trace.o"});
  add(link_flags_);
  add({"-o", path.string()});
  NIBBLE_TRY(
      run_compiler(arguments, fmt::format("linking '{}' for {}", library_->name, target_->name)));
  NIBBLE_ASSIGN(std::vector<uint8_t> bytes, read_file(path));
  NIBBLE_ASSIGN(ElfFile elf, ElfFile::parse(std::move(bytes), path.string()));
  return Firmware{path, std::move(elf)};
}

FirmwareMemory FirmwareBuilder::unlimited_memory() const {
  return {machine_->flash_origin, kUnlimitedBytes, machine_->flash_origin + 2 * kUnlimitedBytes,
          kUnlimitedBytes, kMeasuringStackBytes};
}

FirmwareMemory FirmwareBuilder::machine_memory() const {
  return {machine_->flash_origin, machine_->flash_bytes, machine_->ram_origin, machine_->ram_bytes,
          kMeasuringStackBytes};
}

bool FirmwareBuilder::is_weight(const std::string& symbol) const {
  return std::any_of(program_->constants.begin(), program_->constants.end(),
                     [&](const ConstantData& constant) { return is_named(symbol, constant.name); });
}

FirmwareSizes FirmwareBuilder::sizes(const ElfFile& elf) const {
  FirmwareSizes sizes;
  int64_t program_constants = 0, copied_weights = 0;
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (symbol.section < 0) continue;
    const std::string& section = elf.sections()[static_cast<size_t>(symbol.section)].name;
    if (section == ".nibble_rodata" && is_weight(symbol.name)) program_constants += symbol.size;
    if (section == ".nibble_data" && is_weight(symbol.name)) copied_weights += symbol.size;
    if (section == ".nibble_bss" && symbol.name.ends_with("_arena")) sizes.arena += symbol.size;
  }
  auto sum = [&](std::initializer_list<std::string_view> names) {
    int64_t bytes = 0;
    for (std::string_view name : names) bytes += elf.section_bytes(name);
    return bytes;
  };
  int64_t initial_values = sum({".nibble_data", ".libc_data"}) - copied_weights;
  sizes.flash.code = sum({".nibble_text", ".libc_text", ".libc_rodata"}) + initial_values;
  sizes.flash.weights = elf.section_bytes(".nibble_rodata") + copied_weights;
  sizes.flash.tables = sizes.flash.weights - copied_weights - program_constants;
  sizes.flash.total = sizes.flash.code + sizes.flash.weights;
  sizes.flash.harness = sum({".nibble_start", ".harness_text", ".ARM.exidx", ".harness_data"});
  sizes.firmware_flash = sizes.flash.total + sizes.flash.harness;
  sizes.static_data = sum({".nibble_data", ".libc_data", ".nibble_bss", ".libc_bss"}) - sizes.arena;
  // From the stack's end to the last variable: what lies between sections for their alignment is
  // taken too.
  const ElfSymbol *begin = elf.symbol("nibble_stack_top"), *end = elf.symbol("nibble_bss_end");
  if (begin && end)
    sizes.harness_data = int64_t{end->value} - begin->value - sizes.arena - sizes.static_data;
  return sizes;
}

bool same_library_code(const ElfFile& a, const ElfFile& b) {
  for (std::string_view name :
       {".nibble_text", ".nibble_rodata", ".nibble_data", ".libc_text", ".libc_rodata"}) {
    const ElfSection *left = a.section(name), *right = b.section(name);
    if ((left == nullptr) != (right == nullptr)) return false;
    if (left &&
        (left->address != right->address || !std::equal(left->bytes.begin(), left->bytes.end(),
                                                        right->bytes.begin(), right->bytes.end())))
      return false;
  }
  return true;
}

std::vector<Mark> firmware_marks(const ElfFile& elf, const Library& library) {
  const uint32_t thumb_bit = elf.is_arm() ? 1 : 0;
  std::vector<Mark> marks;
  if (const ElfSymbol* entry = elf.symbol(library.name + "_invoke"))
    marks.push_back({entry->value & ~thumb_bit, kMarkEnter});
  const ElfSection* hooks = elf.section(".debug_nibble_hooks");
  std::span<const uint8_t> bytes = hooks ? hooks->bytes : std::span<const uint8_t>();
  auto word = [&](size_t at) {
    return static_cast<uint32_t>(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16) |
           static_cast<uint32_t>(bytes[at + 3]) << 24;
  };
  // The linker sets the addresses of code that it left out to 0 or 1, below any code.
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8)
    if (word(at) > 1) marks.push_back({word(at) & ~thumb_bit, word(at + 4)});
  return marks;
}

}  // namespace nibble
