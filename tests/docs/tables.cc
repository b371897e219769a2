// Prints the part of the README that is generated: what works, read off the lists that the program
// itself is built from.
#include <algorithm>
#include <cstdio>
#include <map>

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

std::string kernel_table() {
  constexpr Isa kColumns[] = {Isa::kPortable, Isa::kDsp, Isa::kMve, Isa::kRvv};
  std::map<std::string, std::vector<bool>> rows;
  for (const KernelInfo& kernel : all_kernels()) {
    auto& row = rows.try_emplace(std::string(kernel.family), 4, false).first->second;
    for (size_t i = 0; i < 4; ++i)
      if (kernel.isa == kColumns[i]) row[i] = true;
  }
  std::string text =
      "| kernel | portable C | Arm DSP | Arm Helium | RISC-V V |\n|---|:-:|:-:|:-:|:-:|\n";
  for (const auto& [family, has] : rows) {
    text += "| `" + family + "` |";
    for (bool variant : has) text += variant ? " yes |" : " - |";
    text += "\n";
  }
  return text;
}

int run() {
  std::printf(
      "Operators, in float on the host and in int8 on host and target: %s. In float only: %s "
      "(the passes fold it away).\n\n",
      operators_line(true).c_str(), operators_line(false).c_str());
  std::printf(
      "Kernels on the target, by instruction set (a core without its own variant runs portable "
      "C):\n\n%s\n",
      kernel_table().c_str());
  std::vector<std::string> calibrators = calibrator_names();
  std::printf(
      "Quantization: post-training int8, weights per channel or per tensor; calibrators: %s.\n\n",
      join(calibrators, ", ").c_str());
  Result<std::vector<Target>> targets = all_targets();
  if (!targets.ok()) return 1;
  std::printf("| target | core | flash | RAM | emulated by |\n|---|---|--:|--:|---|\n");
  for (const Target& target : *targets)
    std::printf("| `%s` | %s | %s | %s | %s |\n", target.name.c_str(), target.core.c_str(),
                human_bytes(target.flash_bytes).c_str(), human_bytes(target.ram_bytes).c_str(),
                target.machine.empty() ? "-" : target.machine.c_str());
  return 0;
}

}  // namespace
}  // namespace nibble

int main() { return nibble::run(); }
