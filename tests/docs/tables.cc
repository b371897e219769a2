// Prints the part of the README that is generated: what works, read off the lists that the program itself is built from.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/text.h"
#include "graph/graph.h"
#include "lower/lower.h"
#include "quantize/quantize.h"
#include "target/target.h"

namespace nibble {
namespace {

std::string operators_line() {
  std::vector<std::string> names = {
#define NIBBLE_OPERATOR_TITLE(Type, name) name,
      NIBBLE_OPERATORS(NIBBLE_OPERATOR_TITLE)
#undef NIBBLE_OPERATOR_TITLE
  };
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
  std::string text = "| kernel | portable C | Arm DSP | Arm Helium | RISC-V V |\n|---|:-:|:-:|:-:|:-:|\n";
  for (const auto& [family, has] : rows) {
    text += "| `" + family + "` |";
    for (bool variant : has) text += variant ? " yes |" : " - |";
    text += "\n";
  }
  return text;
}

int run() {
  std::printf("Operators, float and int8 on the host: %s.\n\n", operators_line().c_str());
  std::printf("Kernels on the target, by instruction set (a core without its own variant runs portable C):\n\n%s\n",
              kernel_table().c_str());
  std::vector<std::string> calibrators = calibrator_names();
  std::printf("Quantization: post-training int8, weights per channel or per tensor; calibrators: %s.\n\n",
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
