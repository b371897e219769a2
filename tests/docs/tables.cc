// Prints the parts of the README that are generated: what works, read off the lists that the
// program itself is built from, and how it compares, from the recorded costs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "graph/graph.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "quantize/quantize.h"
#include "target/target.h"

namespace nibble {
namespace {

// Operators that have an integer form, or those that have none.
std::string operators_line(bool integer) {
  std::vector<std::string> names;
  auto add = [&](const Op& op) {
    bool has = quant_rule(op).output != QuantRule::Output::kFloat;
    bool border = std::holds_alternative<Quantize>(op) || std::holds_alternative<Dequantize>(op);
    if ((has || border) == integer) names.emplace_back(op_name(op));
  };
#define NIBBLE_ADD_OPERATOR(Type, name) add(Type{});
  NIBBLE_OPERATORS(NIBBLE_ADD_OPERATOR)
#undef NIBBLE_ADD_OPERATOR
  std::sort(names.begin(), names.end());
  return join(names, ", ");
}

// A kind of core, with all the instruction sets that it has.
struct IsaColumn {
  std::vector<Isa> isas;
  const char* title;
};
const std::vector<IsaColumn> kColumns = {
    {{Isa::kPortable}, "portable C"},
    {{Isa::kThumb2, Isa::kDsp}, "Arm DSP (M4, M7, M33)"},
    {{Isa::kThumb2, Isa::kDsp, Isa::kMve}, "Helium (M55)"},
    {{Isa::kThumb2}, "Armv7-M (M3)"},
    {{Isa::kThumb}, "Armv6-M (M0+)"},
    {{Isa::kRv32}, "RV32IMC"},
    {{Isa::kRv32, Isa::kRvv}, "RISC-V V"},
};

std::string kernel_table() {
  std::map<std::string, std::vector<std::string>> rows;
  auto mark = [&](std::string_view family, Isa isa, const char* text) {
    auto& row = rows.try_emplace(std::string(family), kColumns.size(), "-").first->second;
    for (size_t i = 0; i < kColumns.size(); ++i)
      if (std::ranges::find(kColumns[i].isas, isa) != kColumns[i].isas.end()) row[i] = text;
  };
  for (const KernelInfo& kernel : all_kernels()) mark(kernel.family, kernel.isa, "yes");
  for (const GeneratedKernel& kernel : generated_kernels())
    mark(kernel.family, kernel.isa, kernel.isa == Isa::kPortable ? "yes, per layer" : "per layer");
  std::string text = "| kernel |", line = "|---|";
  for (const IsaColumn& column : kColumns) {
    text += std::string(" ") + column.title + " |";
    line += ":-:|";
  }
  text += "\n" + line + "\n";
  for (const auto& [family, cells] : rows)
    text += "| `" + family + "` | " + join(cells, " | ") + " |\n";
  return text;
}

using Json = nlohmann::ordered_json;

// A column of the comparison: sums of fields of the record, ours and the peer's.
struct Figures {
  std::vector<const char*> ours, peer;
};
const std::vector<Figures> kFigures = {
    {{"instructions"}, {"instructions_per_inference"}},
    {{"code_bytes"}, {"flash_code_bytes"}},
    {{"code_bytes", "weights_bytes"}, {"flash_code_bytes", "flash_model_bytes"}},
    {{"arena_bytes", "stack_bytes", "static_bytes"}, {"arena_bytes", "stack_bytes"}},
};
constexpr std::pair<const char*, const char*> kModels[] = {{"ic", "image classification"},
                                                           {"kws", "keyword spotting"},
                                                           {"vww", "visual wake words"},
                                                           {"ad", "anomaly detection"}};

Json recorded() {
  return Json::parse(
      *read_text_file(std::filesystem::path(NIBBLE_SOURCE_DIR) / "bench/recorded.json"));
}

int64_t sum(const Json& fields, const std::vector<const char*>& names) {
  int64_t total = 0;
  for (const char* name : names) total += fields[name].get<int64_t>();
  return total;
}

double mean_ratio(const Json& row, const Figures& figure) {
  double logs = 0;
  for (const auto& [key, name] : kModels)
    logs += std::log(static_cast<double>(sum(row["peer"][key], figure.peer)) /
                     static_cast<double>(sum(row[key], figure.ours)));
  return std::exp(logs / static_cast<double>(std::size(kModels)));
}

// What bench/recorded.json holds of the peer and of us.
std::string comparison() {
  const Json record = recorded();
  std::string text =
      "Geometric means over the four models, peer ÷ nibble:\n\n"
      "| core | instructions | code | flash, weights included | RAM, stack included |\n"
      "|---|--:|--:|--:|--:|\n";
  for (const auto& [target, row] : record.items()) {
    if (!row.contains("peer")) continue;
    text += fmt::format("| {} |", row["core"].get<std::string>());
    for (const Figures& figure : kFigures)
      text += fmt::format(" {:.2f} |", mean_ratio(row, figure));
    text += "\n";
  }
  text +=
      "\nEach model, on a Cortex-M4, ours / peer (peer ÷ ours), instructions per inference and "
      "bytes:\n\n"
      "| model | instructions | code | flash | RAM |\n|---|--:|--:|--:|--:|\n";
  const Json& row = record["mps2-an386"];
  for (const auto& [key, name] : kModels) {
    text += std::string("| ") + name + " |";
    for (const Figures& figure : kFigures) {
      const int64_t ours = sum(row[key], figure.ours), peer = sum(row["peer"][key], figure.peer);
      text += fmt::format(" {} / {} ({:.2f}) |", with_thousands(ours), with_thousands(peer),
                          static_cast<double>(peer) / static_cast<double>(ours));
    }
    text += "\n";
  }
  return text;
}

void print_what_works() {
  std::printf(
      "Operators, in float on the host and in int8 on host and target: %s. In float only: %s "
      "(the passes fold it away).\n\n",
      operators_line(true).c_str(), operators_line(false).c_str());
  std::printf(
      "Kernels on the target, by instruction set. `per layer`: written for each layer, with its "
      "shapes, beside C that computes the same; a core without its own variant runs portable "
      "C:\n\n%s\n",
      kernel_table().c_str());
  std::vector<std::string> calibrators = calibrator_names(), methods;
  for (const MethodInfo& method : all_methods()) methods.emplace_back(method.name);
  std::printf(
      "Quantization after training: %s; weights per tensor, channel or group; calibrators: %s; "
      "repairs: %s. Weights of 2 to 16 bits, codebooks, groups and zero points of weights are "
      "exact "
      "on the host; targets run weights of up to 8 bits, each in a byte, with one scale per "
      "channel "
      "or tensor. %zu other number formats are emulated.\n\n",
      schemes_text().c_str(), join(calibrators, ", ").c_str(), join(methods, ", ").c_str(),
      number_formats().size());
  Result<std::vector<Target>> targets = all_targets();
  if (!targets.ok()) return;
  // By core, and what stands for it: most parts first.
  std::map<std::string, std::vector<std::string>> parts;
  std::map<std::string, std::string> machines;
  int64_t count = 0;
  for (const Target& target : *targets) {
    std::string& machine = machines[target.core];
    if (!target.machine.empty()) machine = target.machine;
    if (target.emulator_board) continue;
    parts[target.core].push_back(target.name);
    ++count;
  }
  std::vector<std::string> cores;
  for (const auto& [core, machine] : machines) cores.push_back(core);
  std::ranges::stable_sort(
      cores, [&](const auto& a, const auto& b) { return parts[a].size() > parts[b].size(); });
  std::printf("| core | %td parts in the catalogue | emulated by |\n|---|---|---|\n", count);
  for (const std::string& core : cores)
    std::printf("| %s | %s | %s |\n", core.c_str(),
                parts[core].empty() ? "-" : join(parts[core], ", ").c_str(),
                machines[core].empty() ? "-" : machines[core].c_str());
}

}  // namespace
}  // namespace nibble

// nibble_readme_tables works|comparison
int main(int argc, char** argv) {
  const std::string_view part = argc > 1 ? argv[1] : "";
  if (part == "comparison")
    std::printf("%s", nibble::comparison().c_str());
  else if (part == "works")
    nibble::print_what_works();
  else
    return 2;
}
