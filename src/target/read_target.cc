// One targets/NAME.toml → Target. Every field is checked for presence, type and range; errors name
// file, line and field.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/text.h"
#include "target/table_reader.h"
#include "target/target.h"
#include "target/words.h"

namespace nibble {
namespace {

constexpr Word<Isa> kIsas[] = {{Isa::kPortable, "portable"},
                               {Isa::kThumb, "thumb"},
                               {Isa::kThumb2, "thumb2"},
                               {Isa::kDsp, "dsp"},
                               {Isa::kMve, "mve"},
                               {Isa::kRv32, "rv32"},
                               {Isa::kRvv, "rvv"}};
constexpr Word<Fpu> kFpus[] = {
    {Fpu::kNone, "none"}, {Fpu::kHalf, "half"}, {Fpu::kSingle, "single"}, {Fpu::kDouble, "double"}};
constexpr Word<MemoryKind> kMemoryKinds[] = {{MemoryKind::kFlash, "flash"},
                                             {MemoryKind::kRam, "ram"},
                                             {MemoryKind::kTcm, "tcm"},
                                             {MemoryKind::kItcm, "itcm"},
                                             {MemoryKind::kExternalFlash, "external_flash"},
                                             {MemoryKind::kExternalRam, "external_ram"},
                                             {MemoryKind::kNpuRam, "npu_ram"},
                                             {MemoryKind::kNpuWeights, "npu_weights"}};
// The first of each is what a target has that does not say it.
constexpr Word<Regulator> kRegulators[] = {
    {Regulator::kUnknown, "unknown"}, {Regulator::kLdo, "ldo"}, {Regulator::kSmps, "smps"}};
constexpr Word<PowerBasis> kPowerBases[] = {{PowerBasis::kDatasheet, "datasheet"},
                                            {PowerBasis::kHeadline, "headline"},
                                            {PowerBasis::kCoremark, "coremark"},
                                            {PowerBasis::kMeasured, "measured"}};

constexpr double kMaxWaitCycles = 10000;
constexpr double kMaxMemoryKb = 1 << 20;  // 1 GB: more is a slip of the unit, not a microcontroller
constexpr double kMaxClockMhz = 10000;
constexpr double kMaxLineBytes = 4096;
constexpr double kMaxCount = 1024;
constexpr double kMaxVolt = 100, kMaxMilliwatt = 100000, kMaxMicroamp = 10000000;

int64_t bytes_of(double kb) { return std::llround(kb * 1024); }
int64_t hertz_of(double mhz) { return std::llround(mhz * 1e6); }

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

// Why a core of this name cannot have such instructions; empty: it can, or nobody here knows it.
std::string foreign_isa(const std::string& core, Isa isa) {
  const bool arm = core.starts_with("cortex-m"), rv = isa == Isa::kRv32 || isa == Isa::kRvv;
  if ((arm && rv) || (!arm && core.starts_with("rv") && !rv))
    return "has instructions of another architecture";
  if (!arm) return "";
  const auto one_of = [&](std::initializer_list<std::string_view> cores) {
    return std::ranges::find(cores, std::string_view(core).substr(8)) != cores.end();
  };
  const bool small = one_of({"0", "0plus", "1", "23"});
  if (isa == Isa::kThumb2 && small) return "has thumb2; this core has thumb alone";
  if (isa == Isa::kDsp && (small || one_of({"3"}))) return "has dsp, which this core never has";
  if (isa == Isa::kMve && (small || one_of({"3", "4", "7", "33", "35p"})))
    return "has mve, which only Cortex-M52, M55 and M85 have";
  return "";
}

void read_isa(TableReader& reader, Target& target) {
  for (const std::string& name : reader.strings("isa")) {
    const auto found = std::ranges::find(kIsas, name, &Word<Isa>::name);
    if (found == std::end(kIsas) || found->value == Isa::kPortable)
      return reader.fail("isa", "has '" + name + "'; known: thumb, thumb2, dsp, mve, rv32, rvv");
    if (const std::string why = foreign_isa(target.core, found->value); !why.empty())
      return reader.fail("isa", why + " (core is '" + target.core + "')");
    for (Isa each : with_implied(found->value))
      if (std::ranges::find(target.isa, each) == target.isa.end()) target.isa.push_back(each);
  }
}

Status read_bank(const toml::table& table, const std::string& file, Target& target) {
  TableReader reader(table, file, "memory.");
  MemoryBank bank;
  bank.name = reader.string("name");
  if (reader.status().ok() && !is_lower_name(bank.name, '_'))
    reader.fail("name", "is '" + bank.name + "'; a bank's name has lower-case letters, digits, _");
  if (std::ranges::find(target.memory, bank.name, &MemoryBank::name) != target.memory.end())
    reader.fail("name", "is '" + bank.name + "', as that of another bank");
  bank.kind = read_word(reader, "kind", kMemoryKinds);
  bank.bytes = bytes_of(reader.number("size_kb", kMaxMemoryKb, true));
  bank.wait_cycles = reader.number("wait_cycles", kMaxWaitCycles, false);
  bank.line_bytes = std::llround(reader.number("line_bytes", kMaxLineBytes, bank.wait_cycles > 0));
  bank.cache_bytes = bytes_of(reader.number("cache_kb", kMaxMemoryKb, false));
  reader.refuse_unknown_keys();
  target.memory.push_back(std::move(bank));
  return reader.status();
}

Status read_power(const toml::table& table, const std::string& file, PowerFacts& power) {
  TableReader reader(table, file, "power.");
  auto read = [&](std::string_view key, double max, std::optional<double>& figure) {
    if (const double value = reader.number(key, max, false); value > 0) figure = value;
  };
  read("supply_v", kMaxVolt, power.supply_v);
  read("active_ua_per_mhz", kMaxMicroamp, power.active_ua_per_mhz);
  read("active_mw", kMaxMilliwatt, power.active_mw);
  read("sleep_ua", kMaxMicroamp, power.sleep_ua);
  read("off_ua", kMaxMicroamp, power.off_ua);
  power.basis = read_word(reader, "basis", kPowerBases, false);
  power.regulator = read_word(reader, "regulator", kRegulators, false);
  if (reader.has("basis") && !power.active_ua_per_mhz && !power.active_mw)
    reader.fail("basis", "says of what an active figure is, and there is none");
  if (power.active_ua_per_mhz && power.active_mw)
    reader.fail("active_mw", "stands beside active_ua_per_mhz: one figure, not two");
  const bool has_current = power.active_ua_per_mhz || power.sleep_ua || power.off_ua;
  if (has_current && !power.supply_v)
    reader.fail("supply_v", "is missing: a current says nothing without it");
  reader.refuse_unknown_keys();
  return reader.status();
}

Status read_npu_facts(const toml::table& table, const std::string& file,
                      std::optional<NpuFacts>& npu) {
  TableReader reader(table, file, "npu.");
  npu.emplace();
  npu->engine = reader.string("engine");
  if (reader.status().ok() && !is_npu_name(npu->engine))
    reader.fail("engine", "is '" + npu->engine +
                              "'; it is called as its file npus/ENGINE.toml: lower-case letters, "
                              "digits, -");
  npu->macs_per_cycle = reader.number("macs_per_cycle", 1e6, false);
  npu->clock_hz = hertz_of(reader.number("clock_mhz", kMaxClockMhz, false));
  if (const double active = reader.number("active_mw", kMaxMilliwatt, false); active > 0)
    npu->active_mw = active;
  reader.refuse_unknown_keys();
  return reader.status();
}

// Every figure that the target has, as [sources] calls it.
std::vector<std::string> figures_of(const Target& target) {
  std::vector<std::string> figures = {"core"};
  if (target.clock_hz > 0) figures.emplace_back("clock");
  for (const MemoryBank& bank : target.memory) {
    figures.push_back("memory." + bank.name);
    if (bank.wait_cycles > 0) figures.push_back("memory." + bank.name + ".wait");
  }
  if (target.power.active_ua_per_mhz || target.power.active_mw)
    figures.emplace_back("power.active");
  if (target.power.sleep_ua) figures.emplace_back("power.sleep");
  if (target.power.off_ua) figures.emplace_back("power.off");
  if (target.npu) figures.emplace_back("npu");
  if (target.npu && target.npu->active_mw) figures.emplace_back("npu.active");
  return figures;
}

// Every figure says where it comes from and how sure it is, so that a reader can check it.
Status read_sources(const toml::table& table, const std::string& file, Target& target) {
  TableReader reader(table, file, "sources.");
  for (const std::string& figure : figures_of(target)) {
    if (!reader.has(figure))
      reader.fail(figure,
                  "is missing: every figure has its { confidence = \"high\", source = \"...\" }; a "
                  "name with a dot stands in quotes");
    const toml::table* entry = reader.table(figure);
    NIBBLE_TRY(reader.status());
    TableReader fields(*entry, file, "sources." + figure + ".");
    target.sources.push_back(read_source(fields, figure));
    NIBBLE_TRY(fields.status());
  }
  reader.refuse_unknown_keys();
  return reader.status();
}

bool is_flash(const MemoryBank& bank) { return bank.kind == MemoryKind::kFlash; }
bool is_external_flash(const MemoryBank& bank) { return bank.kind == MemoryKind::kExternalFlash; }
bool is_ram(const MemoryBank& bank) {
  return bank.kind == MemoryKind::kRam || bank.kind == MemoryKind::kTcm;
}
bool is_external_ram(const MemoryBank& bank) { return bank.kind == MemoryKind::kExternalRam; }

// What target.h says of Target::flash_bytes, ram_bytes and flash_wait_cycles.
void sum_up(Target& target) {
  for (auto kind : {is_flash, is_external_flash}) {
    if (target.flash_bytes > 0) break;
    for (const MemoryBank& bank : target.memory) {
      if (!kind(bank)) continue;
      target.flash_bytes += bank.bytes;
      if (bank.wait_cycles > 0)
        target.flash_wait_cycles = std::max(
            target.flash_wait_cycles, bank.wait_cycles * 4 / static_cast<double>(bank.line_bytes));
    }
  }
  for (auto kind : {is_ram, is_external_ram}) {
    if (target.ram_bytes > 0) break;
    for (const MemoryBank& bank : target.memory)
      if (kind(bank)) target.ram_bytes = std::max(target.ram_bytes, bank.bytes);
  }
}

Status check_whole(TableReader& reader, Target& target) {
  sum_up(target);
  if (target.flash_bytes == 0)
    reader.fail("memory", "has no bank of kind flash or external_flash, which code lies in");
  if (target.ram_bytes == 0)
    reader.fail("memory", "has no bank of kind ram, tcm or external_ram, which data lie in");
  return reader.status();
}

Result<Target> target_of(const toml::table& table, const std::string& file) {
  Target target;
  TableReader reader(table, file, "");
  target.name = reader.string("name");
  target.title = reader.string("title");
  target.vendor = reader.string("vendor");
  target.core = reader.string("core");
  if (reader.has("core_count"))
    target.core_count = static_cast<int>(reader.number("core_count", kMaxCount, true));
  target.other_cores = reader.strings("other_cores", false);
  read_isa(reader, target);
  target.fpu = read_word(reader, "fpu", kFpus);
  target.machine = reader.string("machine", false);
  target.port = reader.string("port", !target.machine.empty());
  target.toolchain =
      reader.one_of("toolchain", {"arm-none-eabi", "riscv64-unknown-elf", "riscv32-clang"},
                    reader.has("machine"));
  target.compile_flags = reader.strings("flags", !target.toolchain.empty());
  target.engines = reader.strings("engines", false);
  target.emulator_board = reader.boolean("emulator_board");
  if (target.emulator_board && target.machine.empty())
    reader.fail("machine", "is missing: an emulator_board is the machine itself");
  target.clock_hz = hertz_of(reader.number("clock_mhz", kMaxClockMhz, !target.emulator_board));
  const std::vector<const toml::table*> memory = reader.tables("memory");
  const toml::table* power = reader.table("power", false);
  const toml::table* npu = reader.table("npu", false);
  const toml::table* sources = reader.table("sources");
  reader.refuse_unknown_keys();
  NIBBLE_TRY(reader.status());
  for (const toml::table* bank : memory) NIBBLE_TRY(read_bank(*bank, file, target));
  if (power) NIBBLE_TRY(read_power(*power, file, target.power));
  if (npu) NIBBLE_TRY(read_npu_facts(*npu, file, target.npu));
  NIBBLE_TRY(check_whole(reader, target));
  NIBBLE_TRY(read_sources(*sources, file, target));
  return target;
}

}  // namespace

std::string_view isa_name(Isa isa) { return name_of(kIsas, isa); }
std::string_view fpu_name(Fpu fpu) { return name_of(kFpus, fpu); }
std::string_view memory_kind_name(MemoryKind kind) { return name_of(kMemoryKinds, kind); }
std::string_view regulator_name(Regulator regulator) { return name_of(kRegulators, regulator); }

std::string_view power_basis_name(PowerBasis basis) { return name_of(kPowerBases, basis); }

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
