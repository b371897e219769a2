// From a program or a network to figures with their ranges.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/text.h"
#include "cost/cost.h"
#include "cost/refit.h"

namespace nibble {

extern const char* const kFittedText;

namespace {

// See cost.h.
constexpr double kOwnFactor = 1.12, kOwnSd = 0.13;
// Of the log, beside the core's own, where only RV32 cores of other makers were measured, which
// came to 1.5 to 1.8 times what was measured: half their worst error.
constexpr double kRv32Sd = 0.3;
// Where nobody says how long flash makes the core wait: it took 4 to 18 % where somebody does.
// Cores that are slower do not outrun their flash.
constexpr double kFlashSd = 0.15;
constexpr int64_t kFlashHz = 48'000'000;
constexpr std::string_view kRv32Names = "rv32";

const FittedCost& fitted_cost() {
  static const FittedCost fitted = [] {
    Result<FittedCost> result = parse_fitted(kFittedText);
    NIBBLE_CHECK(result.ok(), "{}", result.error().message);
    return std::move(result).value();
  }();
  return fitted;
}

CostFigure figure(double log, double sd) {
  const CostModel& model = fitted_cost().latency;
  auto at = [&](double z) { return std::exp(log + z * sd); };
  return {std::exp(log), at(-model.z80), at(model.z80), at(-model.z95), at(model.z95)};
}

bool flash_is_inside(const Target& target) {
  return std::ranges::any_of(
      target.memory, [](const MemoryBank& bank) { return bank.kind == MemoryKind::kFlash; });
}

PublishedError published(const ErrorSummary& summary, const std::string& of) {
  return {summary.median, summary.p90, summary.rows, of};
}

PublishedError published(const std::map<std::string, ErrorSummary>& by_core,
                         const std::string& core, const PublishedError& all) {
  if (const auto found = by_core.find(core); found != by_core.end())
    return published(found->second, core);
  // What the few measured RV32 cores say of another one is their worst.
  if (!core.starts_with(kRv32Names)) return all;
  PublishedError worst = all;
  for (const auto& [name, summary] : by_core)
    if (name.starts_with(kRv32Names) && summary.median > worst.median)
      worst = published(summary, name);
  return worst;
}

Status check_clock(const Target& target) {
  if (target.clock_hz > 0) return {};
  return input_error(target.name +
                     ": the target has no clock, so cycles cannot become time; choose a part "
                     "instead of an emulator's board (nibble targets lists them)");
}

Error no_core(const Target& target) {
  return input_error(fmt::format(
      "{}: nothing is known of how fast its core '{}' runs networks: cost has rules for Cortex-M "
      "and RV32 (isa thumb, thumb2, dsp, mve, rv32 in targets/{}.toml)",
      target.name, target.core, target.name));
}

void finish(const Target& target, const LogCycles& cycles, CostEstimate& estimate) {
  const FittedCost& fitted = fitted_cost();
  const double clock_khz = static_cast<double>(target.clock_hz) / 1e3;
  estimate.clock_mhz = clock_khz / 1e3;
  estimate.cycles = figure(cycles.log, cycles.sd);
  estimate.latency_ms = figure(cycles.log - std::log(clock_khz), cycles.sd);
  estimate.unseen = cycles.unseen;
  if (const std::optional<LogEffect> power = core_power(target)) {
    estimate.power_mw = figure(power->log, power->sd);
    estimate.energy_uj =
        figure(cycles.log - std::log(clock_khz) + power->log, std::hypot(cycles.sd, power->sd));
  }
  estimate.latency_error =
      published(fitted.errors.time_by_core, target.core, published_latency_error());
  estimate.energy_error =
      published(fitted.errors.energy_by_core, target.core, published_energy_error());
  // Layers have the network's total, split by their work.
  double sum = 0;
  for (const LayerEstimate& layer : estimate.layers) sum += layer.latency_ms;
  for (LayerEstimate& layer : estimate.layers)
    if (sum > 0) layer.latency_ms *= estimate.latency_ms.value / sum;
}

std::string error_text(const PublishedError& error) {
  return fmt::format("median error {:.0f} % (nine of ten below {:.0f} %) over {} rows of {}",
                     100 * error.median, 100 * error.p90, error.rows, error.of);
}

// An engine named without version is its newest one.
Result<CostStack> understand_stack(const std::string& name) {
  if (const std::optional<CostStack> stack = find_stack(name)) return *stack;
  std::optional<CostStack> newest;
  for (const CostStack& stack : cost_stacks())
    if (stack.version > 0 && name == stack.family && (!newest || stack.version > newest->version))
      newest = stack;
  if (newest) return *newest;
  return input_error(fmt::format(
      "'{}' is no engine that anything is measured of; choose one of: {} (another version of one "
      "that has versions will do)",
      name, join(peer_stacks(), ", ")));
}

// The engine as it is on that core; kernels for other instructions give no figure.
Result<CostStack> stack_on(const std::string& name, const Target& target, const CostCore& core) {
  if (core.isa == CostIsa::kMve && name == "TFLM + CMSIS-NN")
    return *find_stack("TFLM + CMSIS-NN (Helium)");
  NIBBLE_ASSIGN(const CostStack stack, understand_stack(name));
  if (runs_on(stack.cores, core)) return stack;
  return input_error(fmt::format("'{}' runs on {}, and the core of {} ({}) is none; there run: {}",
                                 name, engine_cores_name(stack.cores), target.name, target.core,
                                 join(peer_stacks(target), ", ")));
}

}  // namespace

std::string_view peer_vendor(const std::string& name) {
  const Result<CostStack> stack = understand_stack(name);
  return stack.ok() ? find_family(stack->family).vendor : std::string_view();
}

std::optional<LogEffect> core_power(const Target& target) {
  return target_power(fitted_cost().power, target);
}

std::vector<std::string> peer_stacks() {
  std::vector<std::string> names;
  for (const CostStack& stack : cost_stacks()) names.emplace_back(stack.name);
  return names;
}

std::vector<std::string> peer_stacks(const Target& target) {
  std::vector<std::string> names;
  if (const std::optional<CostCore> core = find_core(target.core, target.isa))
    for (const CostStack& stack : cost_stacks())
      if (runs_on(stack.cores, *core)) names.emplace_back(stack.name);
  return names;
}

std::string peer_stacks_text() {
  std::map<EngineCores, std::vector<std::string>> by_cores;
  for (const CostStack& stack : cost_stacks()) by_cores[stack.cores].emplace_back(stack.name);
  std::vector<std::string> groups;
  for (const auto& [cores, names] : by_cores)
    groups.push_back(fmt::format("{}: {}", engine_cores_name(cores), join(names, ", ")));
  return join(groups, "; ");
}

Status check_peer(const std::string& stack, const Target* target) {
  NIBBLE_TRY(understand_stack(stack));
  if (!target) return {};
  if (const std::optional<CostCore> core = find_core(target->core, target->isa))
    NIBBLE_TRY(stack_on(stack, *target, *core));
  return {};
}

int64_t flash_cache_bytes(const Target& target) {
  const MemoryKind kind = flash_is_inside(target) ? MemoryKind::kFlash : MemoryKind::kExternalFlash;
  int64_t bytes = 0;
  for (const MemoryBank& bank : target.memory)
    if (bank.kind == kind) bytes = std::max(bytes, bank.cache_bytes);
  return bytes;
}

std::vector<double> rule_cycles(const Program& program) {
  std::vector<double> cycles;
  for (const KernelCall& call : program.calls) {
    const auto of_call = static_cast<double>(call.cycles);
    if (call.members.empty()) cycles.push_back(of_call);
    double sum = 0;
    for (const KernelCall& member : call.members) sum += static_cast<double>(member.cycles);
    for (const KernelCall& member : call.members)
      cycles.push_back(sum > 0 ? of_call * static_cast<double>(member.cycles) / sum : 0);
  }
  return cycles;
}

PublishedError published_latency_error() {
  return published(fitted_cost().errors.left_out.at("board"), "Cortex-M and RV32");
}

PublishedError published_energy_error() {
  return published(fitted_cost().errors.energy_by_core.at("all"), "Cortex-M");
}

Result<CostEstimate> estimate_cost(const Program& program, const Target& target,
                                   const CostQuery& query) {
  NIBBLE_TRY(check_clock(target));
  if (!find_core(target.core, target.isa)) return no_core(target);
  CostEstimate estimate;
  estimate.stack = "nibble";
  const bool board_is_known = fitted_cost().latency.boards.contains(board_group(target.name));
  double ruled =
      board_is_known && flash_is_inside(target) ? 0 : exposed_waits(target, query.flash_read_bytes);
  const std::vector<const KernelCall*> layers = layer_calls(program);
  const std::vector<double> layer_cycles = rule_cycles(program);
  for (size_t i = 0; i < layers.size(); ++i) {
    ruled += layer_cycles[i];
    estimate.layers.push_back({layers[i]->layer, layers[i]->op, layer_cycles[i]});
  }
  if (ruled <= 0) return no_core(target);
  const LogEffect core = core_effect(fitted_cost().latency, target.core);
  const LogEffect board = board_effect(fitted_cost().latency, board_group(target.name));
  LogCycles cycles;
  cycles.log = std::log(ruled * kOwnFactor) + core.log + board.log;
  cycles.sd =
      std::sqrt(kRowSd * kRowSd + kOwnSd * kOwnSd + core.sd * core.sd + board.sd * board.sd);
  if (!board_is_known && target.flash_wait_cycles == 0 && query.flash_read_bytes > 0 &&
      target.clock_hz > kFlashHz) {
    cycles.unseen.emplace_back("waits of flash");
    cycles.sd = std::hypot(cycles.sd, kFlashSd);
  }
  if (!fitted_cost().latency.cores.contains(target.core)) {
    cycles.unseen.emplace_back("core");
    if (target.core.starts_with(kRv32Names)) cycles.sd = std::hypot(cycles.sd, kRv32Sd);
  }
  if (!board_is_known) cycles.unseen.emplace_back("board");
  finish(target, cycles, estimate);
  estimate.provenance = fmt::format(
      "static cycles by the rules of the core; other engines' times are predicted with a {} on "
      "boards left out of the fit. nibble's own code has not been timed on hardware",
      error_text(estimate.latency_error));
  return estimate;
}

Result<CostEstimate> estimate_peer(const Graph& all, const Graph& live, const Target& target,
                                   const std::string& stack) {
  NIBBLE_TRY(check_clock(target));
  const std::optional<CostCore> core = find_core(target.core, target.isa);
  if (!core) return no_core(target);
  NIBBLE_ASSIGN(const CostStack engine, stack_on(stack, target, *core));
  const Graph& graph = engine.drops_dead ? live : all;
  const CostProfile profile = find_family(engine.family).profile;
  CostCase question{target.core, board_group(target.name), std::string(engine.name),
                    std::string(engine.family), work(network_totals(graph), profile, core->isa)};
  if (question.work == KindVector{})
    return input_error("'" + all.name + "' has no layer that takes time: nothing to estimate");
  const LogCycles cycles = predict(fitted_cost().latency, question);
  CostEstimate estimate;
  estimate.stack = question.stack;
  for (const LayerTotals& layer : layer_totals(graph)) {
    question.work = work(layer.totals, profile, core->isa);
    const bool free = question.work == KindVector{};
    estimate.layers.push_back(
        {layer.name, layer.op, free ? 0 : std::exp(predict(fitted_cost().latency, question).log)});
  }
  finish(target, cycles, estimate);
  estimate.provenance = fmt::format("fitted to {} measurements; {} on boards left out of the fit",
                                    fitted_cost().rows, error_text(estimate.latency_error));
  return estimate;
}

}  // namespace nibble
