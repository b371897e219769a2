// nibble targets [NAME]: the catalogue.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json target_json(const Target& target) {
  Json isa = Json::array();
  for (Isa item : target.isa) isa.push_back(isa_name(item));
  return {{"name", target.name},
          {"title", target.title},
          {"core", target.core},
          {"isa", isa},
          {"flash_bytes", target.flash_bytes},
          {"ram_bytes", target.ram_bytes},
          {"flash_wait_cycles", target.flash_wait_cycles},
          {"clock_hz", target.clock_hz > 0 ? Json(target.clock_hz) : Json(nullptr)},
          {"toolchain", target.toolchain},
          {"flags", target.compile_flags},
          {"machine", target.machine}};
}

// A bare emulator may have no clock of its own.
std::string clock_text(int64_t clock_hz) {
  return clock_hz > 0 ? fmt::format("{:g} MHz", static_cast<double>(clock_hz) / 1e6) : "-";
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
  std::vector<std::vector<std::string>> rows = {
      {"target", "core", "flash", "RAM", "clock", "emulated by", "what it is"}};
  for (const Target& target : targets)
    rows.push_back({target.name, target.core, human_bytes(target.flash_bytes),
                    human_bytes(target.ram_bytes), clock_text(target.clock_hz),
                    target.machine.empty() ? "-" : target.machine, target.title});
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
