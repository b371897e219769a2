// The tables of priors. Which of them were chosen with measurements in view stands in doc/cost.md.
#include "cost/catalogue.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/text.h"

namespace nibble {
namespace {

// Dhrystone per MHz as the makers print it (Zephyr's board pages: 1.25 Cortex-M4, STM32L4R5; 1.5
// M33, STM32U575; ST's feature lists: 2.14 M7): time per cycle of the M4 is 1.25 / x. CoreMark per
// MHz would be as good a prior by reason and predicts worse. Power: Arm's uW/MHz of one process
// over the M4's, rounded down; recalled, not read again.
constexpr CostCore kCores[] = {
    {"cortex-m4", CostIsa::kDsp, 1, .05, 1, "reference"},
    {"cortex-m33", CostIsa::kDsp, 1.25 / 1.5, .05, 1, "1.5 DMIPS/MHz; STM32U5 pages confirm it"},
    {"cortex-m7", CostIsa::kDsp, 1.25 / 2.14, .07, 2.5, "2.14 DMIPS/MHz"},
    {"cortex-m3", CostIsa::kThumb2, 1, .08, 1, "reference"},
    {"cortex-m0plus", CostIsa::kThumb, 1.1, .12, .5, "reference; flash without cache waits"},
    {"cortex-m0", CostIsa::kThumb, 1.2, .15, .5, "a three-stage pipeline; flash waits"},
    {"cortex-m55", CostIsa::kMve, 1, .15, 1, "reference"},
    {"cortex-m85", CostIsa::kMve, .75, .2, 3, "second pipe, ends of loops free"},
    // CoreMark/MHz over the M4's 3.42, as their makers' pages give it; recalled, not read again.
    {"rxv2", CostIsa::kDsp, 3.42 / 4.5, .25, 1, "4.5 CoreMark/MHz, recalled"},
    {"andes-d25f", CostIsa::kDsp, 3.42 / 3.58, .25, 1, "3.58 CoreMark/MHz, recalled"},
    {"andes-d45", CostIsa::kDsp, 3.42 / 5.4, .25, 1, "5.4 CoreMark/MHz, recalled"},
    {"rv32imacf", CostIsa::kRv32, 1, .3, 1, "nothing known"},
    {"rv32", CostIsa::kRv32, 1, .3, 1, "nothing known"},
};

constexpr CostFamily kFamilies[] = {
    // Counted instruction by instruction: only waits and dispatch are left to the factor.
    {"CMSIS-NN", CostProfile::kCmsis, 1.2, .15, .15, .15},
    {"CMSIS-NN 2020", CostProfile::kCmsis, 1.5, .4},
    // A vendor's kernels against generated ones.
    {"X-CUBE-AI", CostProfile::kTuned, 1.6, .3, .25, .3, "STMicroelectronics"},
    {"Bosch HALE", CostProfile::kTuned, 1.6, .3},
    {"Plumerai", CostProfile::kTuned, 1.6, .3},
    {"reference kernels", CostProfile::kReference, 1, .4},
    {"compiled C", CostProfile::kCompiled, 1.15, .3},
    {"other", CostProfile::kTuned, 1.6, .4},
};

// `cores`: of what their makers say they are for (Arm's CMSIS-NN, Renesas' port of it, Andes'
// library; ST's, Bosch's and Plumerai's for Cortex-M); kai_jiang's is a team's own code for one
// RV32 part.
constexpr CostStack kStacks[] = {
    {"X-CUBE-AI 7.1", "X-CUBE-AI", 7.1},
    {"X-CUBE-AI 7.3", "X-CUBE-AI", 7.3},
    {"X-CUBE-AI 8.0", "X-CUBE-AI", 8.0},
    {"X-CUBE-AI 8.1", "X-CUBE-AI", 8.1, true},
    {"X-CUBE-AI 9.0", "X-CUBE-AI", 9.0, true},
    {"X-CUBE-AI 10.2", "X-CUBE-AI", 10.2, true},
    {"Bosch HALE 1.0", "Bosch HALE", 1.0},
    {"Bosch HALE 1.0.175", "Bosch HALE", 1.1},
    {"Plumerai 0.7", "Plumerai", 0.7},
    {"Plumerai 1.0", "Plumerai", 1.0},
    {"Plumerai 2023.05", "Plumerai", 2023.05, true},
    {"TFLM + CMSIS-NN", "CMSIS-NN"},
    {"TFLM + CMSIS-NN (Helium)", "CMSIS-NN", 0, false, EngineCores::kHelium},
    {"TFLM + CMSIS-NN (RX)", "CMSIS-NN", 0, false, EngineCores::kRx},
    {"TFLM + Andes NN", "CMSIS-NN", 0, false, EngineCores::kAndes},
    {"microTVM + CMSIS-NN", "CMSIS-NN"},
    {"ONNC", "CMSIS-NN", 0, true},
    {"TFLM 2.3.1 + CMSIS-NN", "CMSIS-NN 2020"},
    {"TFLM 2.3.1 reference", "reference kernels", 0, false, EngineCores::kEvery},
    {"microTVM native", "compiled C", 0, false, EngineCores::kEvery},
    {"kai_jiang", "other", 0, false, EngineCores::kRv32},
};

struct Group {
  std::string_view target, group;
};
constexpr Group kGroups[] = {{"stm32u575", "stm32u5"}, {"stm32u585", "stm32u5"}};

}  // namespace

std::span<const CostCore> cost_cores() { return kCores; }

CostCore core_or_unknown(std::string_view name) {
  const auto* core = std::ranges::find(kCores, name, &CostCore::name);
  if (core != std::end(kCores)) return *core;
  return {name, CostIsa::kRv32, 1, name.starts_with("cortex-m") ? .25 : .3, 1, "nothing known"};
}

std::optional<CostCore> find_core(const std::string& name, std::span<const Isa> isa) {
  CostCore core = core_or_unknown(name);
  auto has = [&](Isa wanted) { return std::ranges::find(isa, wanted) != isa.end(); };
  // What the target says goes before the table: a Cortex-M55 may come without Helium.
  if (has(Isa::kMve))
    core.isa = CostIsa::kMve;
  else if (has(Isa::kDsp))
    core.isa = CostIsa::kDsp;
  else if (has(Isa::kThumb2))
    core.isa = CostIsa::kThumb2;
  else if (has(Isa::kThumb))
    core.isa = CostIsa::kThumb;
  else if (has(Isa::kRv32))
    core.isa = CostIsa::kRv32;
  else if (std::ranges::find(kCores, name, &CostCore::name) == std::end(kCores))
    return std::nullopt;
  return core;
}

const CostFamily& find_family(std::string_view name) {
  const auto* family = std::ranges::find(kFamilies, name, &CostFamily::name);
  NIBBLE_CHECK(family != std::end(kFamilies), "family {}", name);
  return *family;
}

std::string_view engine_cores_name(EngineCores cores) {
  constexpr std::string_view kNames[] = {
      "Cortex-M", "Cortex-M with Helium", "Renesas RX", "Andes cores", "RV32", "every core"};
  return kNames[static_cast<size_t>(cores)];
}

bool runs_on(EngineCores cores, const CostCore& core) {
  const bool rx = core.name.starts_with("rx"), andes = core.name.starts_with("andes");
  const bool rv32 = andes || core.isa == CostIsa::kRv32;
  switch (cores) {
    case EngineCores::kCortexM:
      return !rx && !rv32;
    case EngineCores::kHelium:
      return core.isa == CostIsa::kMve;
    case EngineCores::kRx:
      return rx;
    case EngineCores::kAndes:
      return andes;
    case EngineCores::kRv32:
      return rv32;
    case EngineCores::kEvery:
      return true;
  }
  NIBBLE_UNREACHABLE("cores {}", static_cast<int>(cores));
}

std::span<const CostStack> cost_stacks() { return kStacks; }

std::optional<CostStack> find_stack(std::string_view name) {
  const auto* listed = std::ranges::find(kStacks, name, &CostStack::name);
  if (listed != std::end(kStacks)) return *listed;
  std::optional<CostStack> nearest;
  double distance = 0;
  for (const CostStack& stack : kStacks) {
    if (stack.version == 0 || !name.starts_with(stack.family)) continue;
    const std::string_view rest = name.substr(stack.family.size());
    const Result<double> version = parse_double(trim(rest));
    if (!rest.starts_with(' ') || !version.ok()) continue;
    const double apart = std::abs(stack.version - *version);
    if (nearest && apart >= distance) continue;
    distance = apart;
    nearest = CostStack{name, stack.family, *version, stack.drops_dead, stack.cores};
  }
  return nearest;
}

std::string board_group(std::string_view target) {
  const auto* group = std::ranges::find(kGroups, target, &Group::target);
  return std::string(group == std::end(kGroups) ? target : group->group);
}

}  // namespace nibble
