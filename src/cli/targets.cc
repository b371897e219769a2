// nibble targets [NAME]: the catalogue.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::optional<double>& figure) { return figure ? Json(*figure) : Json(nullptr); }
Json clock_json(int64_t clock_hz) { return clock_hz > 0 ? Json(clock_hz) : Json(nullptr); }

Json memory_json(const Target& target) {
  Json banks = Json::array();
  for (const MemoryBank& bank : target.memory)
    banks.push_back({{"name", bank.name},
                     {"kind", memory_kind_name(bank.kind)},
                     {"bytes", bank.bytes},
                     {"wait_cycles", bank.wait_cycles},
                     {"line_bytes", bank.line_bytes},
                     {"cache_bytes", bank.cache_bytes}});
  return banks;
}

Json npu_json(const Target& target) {
  if (!target.npu) return nullptr;
  return {{"engine", target.npu->engine},
          {"macs_per_cycle", target.npu->macs_per_cycle},
          {"clock_hz", clock_json(target.npu->clock_hz)},
          {"active_mw", or_null(target.npu->active_mw)}};
}

Json target_json(const Target& target) {
  Json isa = Json::array(), sources = Json::array();
  for (Isa item : target.isa) isa.push_back(isa_name(item));
  for (const Source& source : target.sources)
    sources.push_back({{"figure", source.figure},
                       {"confidence", confidence_name(source.confidence)},
                       {"source", source.text}});
  return {{"name", target.name},
          {"title", target.title},
          {"vendor", target.vendor},
          {"core", target.core},
          {"core_count", target.core_count},
          {"other_cores", target.other_cores},
          {"isa", isa},
          {"fpu", fpu_name(target.fpu)},
          {"flash_bytes", target.flash_bytes},
          {"ram_bytes", target.ram_bytes},
          {"flash_wait_cycles", target.flash_wait_cycles},
          {"clock_hz", clock_json(target.clock_hz)},
          {"memory", memory_json(target)},
          {"power",
           {{"supply_v", or_null(target.power.supply_v)},
            {"active_ua_per_mhz", or_null(target.power.active_ua_per_mhz)},
            {"active_mw", or_null(target.power.active_mw)},
            {"basis", power_basis_name(target.power.basis)},
            {"regulator", regulator_name(target.power.regulator)},
            {"sleep_ua", or_null(target.power.sleep_ua)},
            {"off_ua", or_null(target.power.off_ua)}}},
          {"npu", npu_json(target)},
          {"toolchain", target.toolchain},
          {"flags", target.compile_flags},
          {"machine", target.machine},
          {"engines", target.engines},
          {"sources", sources}};
}

// A bare emulator may have no clock of its own.
std::string clock_text(int64_t clock_hz) {
  return clock_hz > 0 ? fmt::format("{:g} MHz", static_cast<double>(clock_hz) / 1e6) : "-";
}

std::string power_text(const PowerFacts& power) {
  std::vector<std::string> parts;
  auto add = [&](const std::optional<double>& figure, std::string_view unit) {
    if (figure) parts.push_back(fmt::format("{:g} {}", *figure, unit));
  };
  add(power.active_mw, "mW active");
  add(power.active_ua_per_mhz, "uA/MHz active");
  if (!parts.empty()) parts.back() += fmt::format(" ({} figure)", power_basis_name(power.basis));
  add(power.sleep_ua, "uA asleep");
  add(power.off_ua, "uA off");
  add(power.supply_v, "V");
  return parts.empty() ? "not known" : join(parts, ", ");
}

// Everything that the file says of one target.
std::string target_text(const Target& target) {
  std::string text = fmt::format("{}: {}\n", target.name, target.title);
  auto line = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<13}{}\n", label, value);
  };
  std::vector<std::string> isa;
  for (const Isa item : target.isa) isa.emplace_back(isa_name(item));
  line("maker", target.vendor);
  line("core", fmt::format("{}{} ({}){}",
                           target.core_count > 1 ? fmt::format("{} x ", target.core_count) : "",
                           target.core, join(isa, ", "),
                           target.clock_hz > 0 ? ", " + clock_text(target.clock_hz) : ""));
  line("beside it", join(target.other_cores, ", "));
  if (target.npu)
    line("accelerator",
         fmt::format("{}, {:g} MACs per cycle, {}{}", target.npu->engine,
                     target.npu->macs_per_cycle, clock_text(target.npu->clock_hz),
                     target.npu->active_mw
                         ? fmt::format(", the chip draws {:g} mW with it", *target.npu->active_mw)
                         : ""));
  line("power", power_text(target.power));
  line("toolchain", target.toolchain);
  line("engines", join(target.engines, ", "));
  line("emulated by", target.machine);
  std::vector<std::vector<std::string>> banks = {{"memory", "kind", "size", "waits", "cache"}};
  for (const MemoryBank& bank : target.memory)
    banks.push_back({bank.name, std::string(memory_kind_name(bank.kind)), human_bytes(bank.bytes),
                     bank.line_bytes > 0
                         ? fmt::format("{:g} cycles per {} B", bank.wait_cycles, bank.line_bytes)
                         : "-",
                     bank.cache_bytes > 0 ? human_bytes(bank.cache_bytes) : "-"});
  text += "\n" + format_table(banks) + "\n";
  for (const Source& source : target.sources)
    text += fmt::format("{} ({}): {}\n", source.figure, confidence_name(source.confidence),
                        source.text);
  return text;
}

Status show_targets(const CommandLine& line, const std::string& name) {
  std::vector<Target> targets;
  if (name.empty()) {
    NIBBLE_ASSIGN(targets, all_targets());
  } else {
    NIBBLE_ASSIGN(Target target, find_target(name));
    targets.push_back(std::move(target));
  }
  if (line.json) {
    Json list = Json::array();
    for (const Target& target : targets) list.push_back(target_json(target));
    print_json(name.empty() ? list : list[0]);
    return {};
  }
  if (!name.empty()) {
    fmt::print("{}", target_text(targets[0]));
    return {};
  }
  std::vector<std::vector<std::string>> rows = {
      {"target", "core", "NPU", "flash", "RAM", "clock", "emulated by", "what it is"}};
  for (const Target& target : targets)
    rows.push_back({target.name, target.core, target.npu ? target.npu->engine : "-",
                    human_bytes(target.flash_bytes), human_bytes(target.ram_bytes),
                    clock_text(target.clock_hz), target.machine.empty() ? "-" : target.machine,
                    target.title});
  fmt::print("{}", format_table(rows));
  return {};
}

}  // namespace

void add_targets(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "targets", "the catalogue of microcontrollers and boards");
  auto name = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "one target only");
  verb->callback(
      [&line, name] { line.action = [&line, name] { return show_targets(line, *name); }; });
}

}  // namespace nibble
