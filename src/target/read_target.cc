// One targets/NAME.toml → Target. Every field is checked for presence, type and range; errors name
// file, line and field.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "target/target.h"

namespace nibble {

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kThumb:
      return "thumb";
    case Isa::kThumb2:
      return "thumb2";
    case Isa::kDsp:
      return "dsp";
    case Isa::kMve:
      return "mve";
    case Isa::kRv32:
      return "rv32";
    case Isa::kRvv:
      return "rvv";
  }
  return "?";
}

namespace {

constexpr double kMaxWaitCycles = 1000;
constexpr double kMaxMemoryKb = 1 << 20;  // 1 GB: more is a slip of the unit, not a microcontroller
constexpr double kMaxClockMhz = 10000;

// Reads the fields of one table and remembers the first error and which keys were asked for.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string file, std::string prefix)
      : table_(table), file_(std::move(file)), prefix_(std::move(prefix)) {}

  std::string string(std::string_view key, bool required = true) {
    const toml::node* node = find(key, required);
    if (!node) return {};
    auto text = node->value_exact<std::string>();
    if (!text) return fail(*node, key, "must be a string"), std::string();
    if (text->empty() && required) fail(*node, key, "is empty");
    return *text;
  }

  std::string one_of(std::string_view key, const std::vector<std::string>& allowed) {
    std::string text = string(key);
    const toml::node* node = table_.get(key);
    if (status_.ok() && std::find(allowed.begin(), allowed.end(), text) == allowed.end())
      fail(*node, key, fmt::format("is '{}'; known: {}", text, join(allowed, ", ")));
    return text;
  }

  std::vector<std::string> strings(std::string_view key) {
    std::vector<std::string> texts;
    const toml::node* node = find(key, true);
    if (!node) return texts;
    const toml::array* array = node->as_array();
    if (!array) return fail(*node, key, "must be a list of strings"), texts;
    for (const toml::node& element : *array) {
      auto text = element.value_exact<std::string>();
      if (!text || text->empty())
        return fail(element, key, "must be a list of strings, none empty"), texts;
      texts.push_back(*text);
    }
    return texts;
  }

  bool boolean(std::string_view key) {
    const toml::node* node = find(key, false);
    if (!node) return false;
    auto value = node->value_exact<bool>();
    if (!value) fail(*node, key, "must be true or false");
    return value.value_or(false);
  }

  // A number in (0, max]; 0 if absent and not required.
  double number(std::string_view key, double max, bool required) {
    const toml::node* node = find(key, required);
    if (!node) return 0;
    auto value = node->is_number() ? node->value<double>() : std::nullopt;
    if (!value) return fail(*node, key, "must be a number"), 0;
    if (!(*value > 0) || *value > max)
      return fail(*node, key, fmt::format("is {}; it must be above 0 and at most {}", *value, max)),
             0;
    return *value;
  }

  const toml::table* table(std::string_view key) {
    const toml::node* node = find(key, true);
    if (node && !node->is_table()) fail(*node, key, fmt::format("must be a table [{}]", key));
    return node ? node->as_table() : nullptr;
  }

  // Call last: a key that no one asked for is an error.
  void refuse_unknown_keys() {
    for (const auto& [key, node] : table_) {
      if (std::find(asked_.begin(), asked_.end(), key.str()) != asked_.end()) continue;
      std::string near = nearest_word(key.str(), asked_);
      fail_at(key.source().begin.line, key.str(),
              near.empty() ? "is not a field of a target; known: " + join(asked_, ", ")
                           : "is not a field of a target; did you mean '" + near + "'?");
      return;
    }
  }

  const Status& status() const { return status_; }
  void fail(const toml::node& node, std::string_view key, const std::string& what) {
    fail_at(node.source().begin.line, key, what);
  }
  void fail_missing(std::string_view key, const std::string& what) {
    fail_at(table_.source().begin.line, key, what);
  }

 private:
  const toml::node* find(std::string_view key, bool required) {
    asked_.emplace_back(key);
    const toml::node* node = table_.get(key);
    if (!node && required) fail_missing(key, "is missing");
    return node;
  }
  void fail_at(uint32_t line, std::string_view key, const std::string& what) {
    if (!status_.ok()) return;
    status_ = input_error(fmt::format("{}:{}: {}{} {}", file_, line, prefix_, key, what));
  }

  const toml::table& table_;
  std::string file_, prefix_;
  std::vector<std::string> asked_;
  Status status_;
};

Isa isa_of(const std::string& name) {
  for (Isa isa : {Isa::kThumb, Isa::kThumb2, Isa::kDsp, Isa::kMve, Isa::kRv32, Isa::kRvv})
    if (isa_name(isa) == name) return isa;
  return Isa::kPortable;
}

// What a core that has one instruction set always has beside it: what a file may leave out.
std::vector<Isa> with_implied(Isa isa) {
  switch (isa) {
    case Isa::kDsp:
      return {Isa::kThumb2, isa};
    case Isa::kMve:
      return {Isa::kThumb2, Isa::kDsp, isa};
    case Isa::kRvv:
      return {Isa::kRv32, isa};
    default:
      return {isa};
  }
}

void read_isa(TableReader& reader, const toml::table& table, Target& target) {
  for (const std::string& name : reader.strings("isa")) {
    Isa isa = isa_of(name);
    if (isa == Isa::kPortable)
      reader.fail(*table.get("isa"), "isa",
                  "has '" + name + "'; known: thumb, thumb2, dsp, mve, rv32, rvv");
    for (Isa each : with_implied(isa))
      if (std::ranges::find(target.isa, each) == target.isa.end()) target.isa.push_back(each);
  }
}

Status read_memory(const toml::table& table, const std::string& file, Target& target) {
  TableReader reader(table, file, "memory.");
  target.flash_bytes = std::llround(reader.number("flash_kb", kMaxMemoryKb, true) * 1024);
  target.ram_bytes = std::llround(reader.number("ram_kb", kMaxMemoryKb, true) * 1024);
  target.flash_wait_cycles = reader.number("flash_wait_cycles", kMaxWaitCycles, false);
  reader.refuse_unknown_keys();
  return reader.status();
}

// Every figure says where it comes from, so that a reader can check it.
Status read_sources(const toml::table& table, const std::string& file, Target& target) {
  TableReader reader(table, file, "sources.");
  for (std::string_view key : {"core", "clock", "memory", "flash_wait_cycles"}) {
    bool required = key == "clock"               ? target.clock_hz > 0
                    : key == "flash_wait_cycles" ? target.flash_wait_cycles > 0
                                                 : true;
    std::string text = reader.string(key, required);
    if (!text.empty()) target.sources.emplace_back(key, std::move(text));
  }
  reader.refuse_unknown_keys();
  return reader.status();
}

Result<Target> target_of(const toml::table& table, const std::string& file) {
  Target target;
  TableReader reader(table, file, "");
  target.name = reader.string("name");
  target.title = reader.string("title");
  target.vendor = reader.string("vendor");
  target.core = reader.string("core");
  read_isa(reader, table, target);
  target.toolchain =
      reader.one_of("toolchain", {"arm-none-eabi", "riscv64-unknown-elf", "riscv32-clang"});
  target.compile_flags = reader.strings("flags");
  target.machine = reader.string("machine", false);
  target.port = reader.string("port", !target.machine.empty());
  target.emulator_board = reader.boolean("emulator_board");
  if (target.emulator_board && target.machine.empty())
    reader.fail_missing("machine", "is missing: an emulator_board is the machine itself");
  target.clock_hz =
      std::llround(reader.number("clock_mhz", kMaxClockMhz, !target.emulator_board) * 1e6);
  const toml::table* memory = reader.table("memory");
  const toml::table* sources = reader.table("sources");
  reader.refuse_unknown_keys();
  NIBBLE_TRY(reader.status());
  NIBBLE_TRY(read_memory(*memory, file, target));
  NIBBLE_TRY(read_sources(*sources, file, target));
  return target;
}

}  // namespace

Result<Target> parse_target(std::string_view text, const std::string& name) {
  NIBBLE_ASSIGN(toml::table table, parse_toml(text, name));
  return target_of(table, name);
}

Result<Target> read_target(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(std::string text, read_text_file(path));
  NIBBLE_ASSIGN(Target target, parse_target(text, path.string()));
  if (target.name != path.stem())
    return input_error(
        fmt::format("{}: name is '{}', but a target is found by its file: call the file '{}.toml'",
                    path.string(), target.name, target.name));
  return target;
}

}  // namespace nibble
