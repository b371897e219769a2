// One row per part and engine: memory from plans that parts of the same instruction sets share,
// time and energy from cost/, then what speaks against it, then the order.
#include "pipeline/estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/parallel.h"
#include "base/text.h"
#include "ops/ops.h"
#include "pipeline/figure_text.h"
#include "pipeline/lowered_ways.h"

namespace nibble {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// What compile() would take on a part.
struct PartPlan {
  std::shared_ptr<const Planned> planned;
  int64_t copied_bytes = 0;  // of weights, in RAM beside the arena
};

// Plans of a model for one set of instruction sets, each made once.
class SharedPlans {
 public:
  SharedPlans(const Graph& graph, const Target& target, Optimize optimize)
      : ways_(LoweredWays::of(graph, target, optimize)),
        lower_options_(lower_options(target, optimize)) {
    options_.optimize = optimize;
  }

  Result<PartPlan> plan(const Target& target) {
    if (!ways_.ok()) return ways_.error();
    PartPlan part;
    NIBBLE_ASSIGN(part.planned, within(ways_->arena_limit(target, options_)));
    if (options_.optimize != Optimize::kSpeed || target.flash_wait_cycles == 0) return part;
    Planned own = *part.planned;
    part.copied_bytes = ways_->copy_to_ram(own, target, options_);
    part.planned = std::make_shared<const Planned>(std::move(own));
    return part;
  }
  int64_t port_bytes() const { return ways_->port_bytes(); }
  const LowerOptions& lowered_for() const { return lower_options_; }

 private:
  Result<std::shared_ptr<const Planned>> within(int64_t arena_bytes) {
    // Nearly every part has RAM enough, and some have too little for any plan.
    NIBBLE_ASSIGN(const std::shared_ptr<const Planned> free, made(kNoLimit));
    if (free->plan.arena_bytes <= arena_bytes) return free;
    NIBBLE_ASSIGN(const std::shared_ptr<const Planned> least, made(0));
    if (least->plan.arena_bytes >= arena_bytes) return least;
    return made(arena_bytes);
  }

  Result<std::shared_ptr<const Planned>> made(int64_t arena_bytes) {
    std::shared_ptr<const Planned>& found = plans_[arena_bytes];
    if (!found) {
      NIBBLE_ASSIGN(Planned planned, ways_->plan(arena_bytes));
      found = std::make_shared<const Planned>(std::move(planned));
    }
    return found;
  }

  Result<LoweredWays> ways_;
  LowerOptions lower_options_;
  CompileOptions options_;
  std::map<int64_t, std::shared_ptr<const Planned>> plans_;  // by the limit that they are made for
};

// All that rows are made of.
struct Question {
  const EstimatedModel& model;
  const EstimateQuery& query;
};

constexpr std::string_view kOtherCore = "core";  // what an engine's kernels are not made for

void reject(PartEstimate& part, Shortfall lacking, const std::string& words) {
  part.why_not.push_back(lacking.of + ": " + words);
  part.shortfalls.push_back(std::move(lacking));
}

void check_memory(const std::string& memory, int64_t needed, int64_t available,
                  PartEstimate& part) {
  if (needed <= available) return;
  const std::string needs = human_bytes(needed), has = human_bytes(available);
  std::optional<double> ratio;
  if (available > 0) ratio = static_cast<double>(needed) / static_cast<double>(available);
  reject(part, {memory, needs, has, ratio}, fmt::format("needs {}, has {}", needs, has));
}

void add_memory(const Question& question, const Target& target, const SharedPlans& plans,
                const PartPlan& plan, PartEstimate& part) {
  const Planned& planned = *plan.planned;
  part.ram = {planned.plan.arena_bytes, plan.copied_bytes, kStackBytes, plans.port_bytes()};
  if (const int64_t all = part.ram.total() + part.ram.ports;
      part.ram.total() <= target.ram_bytes && all > target.ram_bytes)
    part.notes.push_back(fmt::format(
        "the caller must use the inputs and outputs in the arena: with its own beside it, as the "
        "firmware of `nibble run` has them, it takes {}",
        human_bytes(all)));
  part.flash_bytes = flash_data_bytes(planned.program) +
                     predicted_code_bytes(planned.program, plans.lowered_for());
  if (question.query.measure_code && !target.toolchain.empty()) {
    EmitOptions options;
    options.name = "estimated";
    const Result<Library> library = emit(planned.program, planned.plan, options);
    if (library.ok()) {
      const Result<FlashBytes> flash = measure_flash(
          *library, planned.program, target, default_compiler_level(question.query.optimize));
      part.code_is_measured = flash.ok();
      if (flash.ok()) part.flash_bytes = flash->total;
    }
  }
  for (const KernelCall& call : planned.program.calls)
    part.bands += static_cast<int>(call.members.size());
  check_memory("flash", part.flash_bytes, target.flash_bytes, part);
  check_memory("RAM", part.ram.total(), target.ram_bytes, part);
}

void add_cost(CostEstimate cost, PartEstimate& part) {
  part.engine = cost.stack;
  part.cycles = cost.cycles;
  part.latency_ms = cost.latency_ms;
  part.energy_uj = cost.energy_uj;
  part.power_mw = cost.power_mw;
  part.layers = std::move(cost.layers);
  part.unseen = std::move(cost.unseen);
  part.provenance = std::move(cost.provenance);
  part.latency_error = cost.latency_error;
  part.energy_error = cost.energy_error;
}

// A figure whose error is known in percent: as wide to both sides, in ratios; of what is normal, 95
// of 100 lie within 1.53 times what 80 do.
CostFigure around(double value, double percent) {
  const double narrow = 1 + percent / 100, wide = std::pow(narrow, 1.53);
  return {value, value / narrow, value * narrow, value / wide, value * wide};
}

// The sum of what is known within `percent`, and of what is as uncertain as `like`, a share of it;
// both may be wrong the same way.
CostFigure with_rest(double value, double percent, double rest,
                     const std::optional<CostFigure>& like) {
  const CostFigure there = around(value, percent);
  if (rest <= 0 || !like || like->value <= 0) return around(value + rest, percent);
  const CostFigure here = scaled(*like, rest / like->value);
  return {there.value + here.value, there.low80 + here.low80, there.high80 + here.high80,
          there.low95 + here.low95, there.high95 + here.high95};
}

void add_npu_cost(const NpuEstimate& found, const PartEstimate& core, PartEstimate& part) {
  const std::optional<NpuNetworkCost>& known = part.npu_as_asked ? found.changed : found.as_is;
  if (!known) {
    part.notes.emplace_back("nobody has published how long it takes");
    return;
  }
  const NpuNetworkCost& cost = *known;
  const int on_core = found.on_cpu(part.npu_as_asked);
  if (part.npu_as_asked)
    part.notes.push_back(
        fmt::format("layers as if rewritten or quantized as the accelerator asks, which nibble did "
                    "not do to this float model: {}",
                    found.there(true) - found.there(false)));
  if (on_core > 0 && !core.latency_ms) {
    part.notes.push_back(
        fmt::format("layers that stay on the core, of whose time nothing is known: {}; the others "
                    "take {:.3g} ms",
                    on_core, cost.npu_seconds * 1e3));
    return;
  }
  if (cost.unpriced_weighted > 0) {
    part.notes.push_back(
        fmt::format("nobody has published how long {} of its layers take there at their widths",
                    cost.unpriced_weighted));
    return;
  }
  if (cost.unpriced > 0)
    part.notes.push_back(
        fmt::format("without layers that no figure exists for: {}", cost.unpriced));
  const double error = found.error_percent.value_or(kGuessPercent);
  part.latency_ms =
      with_rest(cost.npu_seconds * 1e3, error, cost.cpu_seconds * 1e3, core.latency_ms);
  if (cost.energy_uj && found.power_is_guess)
    part.notes.emplace_back(
        "nobody has published what the chip draws while its accelerator works: the energy is by "
        "what others draw beside their core, so its range is wide");
  if (cost.energy_uj)
    part.energy_uj = with_rest(*cost.energy_uj - cost.cpu_uj,
                               found.energy_error_percent.value_or(std::max(error, kGuessPercent)),
                               cost.cpu_uj, core.energy_uj);
  part.provenance =
      fmt::format("figures of the accelerator; 80 of 100 within {:.0f} %{}: {} (doc/npus.md)",
                  error, cost.cpu_seconds > 0 ? ", layers on the core as nibble's" : "",
                  found.error_percent ? found.error_source : "a guess");
}

int64_t graph_macs(const Graph& graph) {
  int64_t macs = 0;
  for (const Node& node : graph.nodes) macs += node_macs(graph, node);
  return macs;
}

// Of the multiplications, those of constant channels that nibble took out before it handed over.
double dropped_share(const EstimatedModel& model) {
  const auto all = static_cast<double>(graph_macs(model.all));
  return all > 0 ? 1 - static_cast<double>(graph_macs(model.handed_over)) / all : 0;
}

// The accelerator of the part, with the rest of the network on the core as `core` has it.
void add_npu(const EstimatedModel& model, const Target& target, const std::optional<Npu>& npu,
             const PartEstimate& core, PartEstimate& part) {
  std::map<std::string, double> seconds;
  for (const LayerEstimate& layer : core.layers) seconds[layer.name] += layer.latency_ms * 1e-3;
  part.npu = estimate_npu(model.handed_over, target, npu, [&](const Node& node) {
    const auto found = seconds.find(node.name);
    return found == seconds.end() ? 0 : found->second;
  });
  const NpuEstimate& found = *part.npu;
  // Without what the title says of variants.
  part.engine = found.title.empty() ? found.engine : found.title.substr(0, found.title.find(" ("));
  if (!found.error_percent) part.unseen = {"accelerator"};
  for (const NpuExcess& excess : found.excess)
    reject(part,
           {excess.limit, fmt::format("{:.0f} {}", excess.amount, excess.unit),
            fmt::format("{:.0f}", excess.max),
            excess.max > 0 ? std::optional(excess.amount / excess.max) : std::nullopt},
           fmt::format("{:.0f} of at most {:.0f} {}", excess.amount, excess.max, excess.unit));
  if (const double dropped = dropped_share(model); dropped > 0)
    part.notes.push_back(
        fmt::format("without channels that never change, {:.0f} % of the multiplications, which "
                    "nibble took out of this float model; made from the model's own file it takes "
                    "longer",
                    100 * dropped));
  part.npu_as_asked = found.there(false) == 0 && model.was_float && found.changed &&
                      found.count(NpuVerdict::kRequantize) > 0;
  if (found.there(part.npu_as_asked) == 0)
    reject(part, {"accelerator", "", "", {}}, "none of the layers runs there as it stands");
  else
    add_npu_cost(found, core, part);
}

// What exceeds a limit, told apart from it also where the digits shown are the same.
std::string above_text(FigureText text, double value, double limit) {
  const std::string shown = text(value);
  return shown == text(limit) ? "just over " + shown : shown;
}

// `factor`: to the unit of the text.
void check_limit(const std::optional<CostFigure>& figure, const std::optional<double>& limit,
                 const std::string& what, double factor, FigureText text, PartEstimate& part) {
  if (!limit) return;
  const std::string most = text(*limit * factor);
  if (!figure) {
    reject(part, {what, "", "", {}},
           "not known, at most " + most + " asked; without that limit it stays in");
  } else if (figure->value > *limit) {
    const std::string value = above_text(text, figure->value * factor, *limit * factor);
    std::optional<double> ratio;
    if (*limit > 0) ratio = figure->value / *limit;
    reject(part, {what, value, most, ratio}, fmt::format("{}, at most {} asked", value, most));
  } else if (figure->high80 > *limit) {
    part.notes.push_back(
        fmt::format("{} may exceed the limit: one in ten such predictions comes to more than {}",
                    what, text(figure->high80 * factor)));
  }
}

void check_limits(const EstimateQuery& query, PartEstimate& part) {
  check_limit(part.latency_ms, query.max_latency_ms, "latency", 1e3, time_text, part);
  check_limit(part.energy_uj, query.max_energy_uj, "energy", 1, energy_text, part);
  check_limit(limited_power(part, query), query.max_power_mw,
              query.duty.rate_hz > 0 ? "average power" : "power at work", 1e3, power_text, part);
}

void add_duty(const EstimateQuery& query, PartEstimate& part) {
  if (!part.latency_ms) return;
  part.duty = duty_cost(query.duty, *part.target, *part.latency_ms, part.energy_uj);
  if (part.duty.too_slow)
    reject(part,
           {"rate", above_text(time_text, part.duty.round_ms * 1e3, 1e6 / query.duty.rate_hz),
            time_text(1e6 / query.duty.rate_hz), part.duty.round_ms * 1e-3 * query.duty.rate_hz},
           part.duty.why_not);
  else if (!part.duty.why_not.empty())
    part.notes.push_back("no average power: " + part.duty.why_not);
}

// Power while it infers, where only energy is known.
void complete(PartEstimate& part) {
  if (part.power_mw || !part.energy_uj || !part.latency_ms) return;
  part.power_mw = scaled(*part.energy_uj, 1 / part.latency_ms->value);
}

// The part with nibble's code, with other engines, and on its accelerator.
Result<std::vector<PartEstimate>> rows_of(const Question& question,
                                          const std::shared_ptr<const Target>& part,
                                          SharedPlans& plans, const std::optional<Npu>& npu) {
  const Target& target = *part;
  NIBBLE_ASSIGN(const PartPlan plan, plans.plan(target));
  const Program& program = plan.planned->program;
  PartEstimate memory;
  memory.target = part;
  add_memory(question, target, plans, plan, memory);

  std::vector<PartEstimate> rows;
  PartEstimate own = memory;
  own.engine = "nibble";
  CostQuery cost;
  cost.flash_read_bytes = flash_read_bytes(program, flash_cache_bytes(target));
  if (Result<CostEstimate> found = estimate_cost(program, target, cost); found.ok())
    add_cost(*std::move(found), own);
  else
    own.notes.push_back(found.error().message);
  if (target.toolchain.empty()) own.notes.push_back("nibble has no compiler for this core");
  rows.push_back(own);

  for (const std::string& engine : question.query.engines) {
    PartEstimate peer = memory;
    peer.of = EstimateOf::kPeer;
    peer.engine = engine;
    if (const Status runs = check_peer(engine, &target); !runs.ok())
      reject(peer, {std::string(kOtherCore), "", "", {}}, runs.error().message);
    else if (Result<CostEstimate> found =
                 estimate_peer(question.model.all, question.model.live, target, engine);
             found.ok())
      add_cost(*std::move(found), peer);
    else
      peer.notes.push_back(found.error().message);
    if (const std::string_view vendor = peer_vendor(engine);
        !vendor.empty() && vendor != target.vendor)
      reject(peer, {"licence", "", "", {}}, fmt::format("only for parts of {}", vendor));
    // "X-CUBE-AI" and its newest version are one.
    if (std::ranges::find(rows, peer.engine, &PartEstimate::engine) == rows.end())
      rows.push_back(std::move(peer));
  }
  if (target.npu) {
    PartEstimate accelerator = memory;
    accelerator.of = EstimateOf::kNpu;
    add_npu(question.model, target, npu, own, accelerator);
    rows.push_back(std::move(accelerator));
  }
  if (question.query.only_npu)
    std::erase_if(rows, [](const PartEstimate& row) { return row.of != EstimateOf::kNpu; });
  for (PartEstimate& row : rows) {
    if (std::ranges::find(row.shortfalls, kOtherCore, &Shortfall::of) != row.shortfalls.end())
      continue;  // that says all
    complete(row);
    add_duty(question.query, row);
    check_limits(question.query, row);
  }
  return rows;
}

double key_of(const PartEstimate& part, EstimateBy order) {
  const auto value = [](const std::optional<CostFigure>& figure) {
    return figure ? figure->value : std::numeric_limits<double>::infinity();
  };
  switch (order) {
    case EstimateBy::kLatency:
      return value(part.latency_ms);
    case EstimateBy::kEnergy:
      return value(part.energy_uj);
    case EstimateBy::kPower:
      return value(part.duty.average_mw ? part.duty.average_mw : part.power_mw);
    case EstimateBy::kFlash:
      return static_cast<double>(part.target->flash_bytes);
    case EstimateBy::kRam:
      return static_cast<double>(part.target->ram_bytes);
  }
  NIBBLE_UNREACHABLE("order {}", static_cast<int>(order));
}

// Parts of the same instruction sets have the same program.
using Group = std::vector<std::shared_ptr<const Target>>;
std::vector<Group> groups_of(const std::vector<Target>& targets) {
  std::map<std::vector<Isa>, Group> groups;
  for (const Target& target : targets)
    groups[target.isa].push_back(std::make_shared<const Target>(target));
  std::vector<Group> list;
  for (auto& [isa, group] : groups) list.push_back(std::move(group));
  // The largest first: what is left for the end should be small.
  std::ranges::stable_sort(list, std::greater<>(), &Group::size);
  return list;
}

// One part that an engine's kernels are not made for: a row without figures would say nothing.
Status check_engines(const EstimateQuery& query) {
  const Target* only = query.targets.size() == 1 ? query.targets.data() : nullptr;
  for (const std::string& engine : query.engines)
    if (const Status known = check_peer(engine, only); !known.ok())
      return usage_error("--engine: " + known.error().message);
  return {};
}

}  // namespace

const std::optional<CostFigure>& limited_power(const PartEstimate& part,
                                               const EstimateQuery& query) {
  return query.duty.rate_hz > 0 ? part.duty.average_mw : part.power_mw;
}

const std::vector<std::string>& estimate_orders() {
  static const std::vector<std::string> kOrders = {"latency", "energy", "power", "flash", "ram"};
  return kOrders;
}

Result<Estimates> estimate_parts(const EstimatedModel& model, EstimateQuery asked) {
  NIBBLE_TRY(check_engines(asked));
  Estimates estimates{model.name, model.note, model.was_float, std::move(asked), {}};
  const EstimateQuery& query = estimates.query;
  const Question question{model, query};
  std::map<std::string, std::optional<Npu>> npus;
  for (const Target& target : query.targets)
    if (target.npu && !npus.contains(target.npu->engine)) {
      NIBBLE_ASSIGN(npus[target.npu->engine], find_npu(target.npu->engine));
    }
  const std::vector<Group> groups = groups_of(query.targets);
  std::vector<std::vector<PartEstimate>> rows(groups.size());
  std::vector<Status> failed(groups.size());
  parallel_for(std::ssize(groups), [&](int64_t begin, int64_t end, int) {
    for (auto g = static_cast<size_t>(begin); g < static_cast<size_t>(end); ++g) {
      SharedPlans plans(model.integer, *groups[g][0], query.optimize);
      for (const std::shared_ptr<const Target>& target : groups[g]) {
        const std::optional<Npu> npu = target->npu ? npus.at(target->npu->engine) : std::nullopt;
        Result<std::vector<PartEstimate>> found = rows_of(question, target, plans, npu);
        if (!found.ok()) {
          failed[g] = found.error();
          break;
        }
        std::ranges::move(*found, std::back_inserter(rows[g]));
      }
    }
  });
  for (size_t g = 0; g < groups.size(); ++g) {
    NIBBLE_TRY(failed[g]);
    std::ranges::move(rows[g], std::back_inserter(estimates.parts));
  }
  std::ranges::stable_sort(estimates.parts, {}, [&](const PartEstimate& part) {
    return std::tuple(!part.fits(), key_of(part, query.order), part.target->name,
                      static_cast<int>(part.of), part.engine);
  });
  return estimates;
}

}  // namespace nibble
