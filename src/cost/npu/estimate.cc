// The network on the accelerator: joins, verdicts, limits, time and energy.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cost/npu/cycles.h"
#include "cost/npu/npu.h"
#include "cost/npu/power.h"
#include "cost/npu/rules.h"

namespace nibble {
namespace {

bool names_op(const std::vector<std::string>& ops, const std::string& op) {
  return std::ranges::find(ops, op) != ops.end();
}

// Two layers that the accelerator does as one.
struct Joined {
  size_t first = 0, then = 0;
  bool first_is_free = true;
};

std::vector<Joined> joined_layers(const Graph& graph, const Npu& npu,
                                  const std::vector<NpuLayer>& layers) {
  std::vector<Joined> joins;
  const std::vector<std::vector<int>> readers = consumers(graph);
  for (const NpuJoin& join : npu.joins)
    for (size_t i = 0; i < layers.size(); ++i) {
      const auto& own = readers[static_cast<size_t>(graph.nodes[i].outputs.at(0))];
      if (own.size() != 1 || own[0] < 0) continue;
      const auto next = static_cast<size_t>(own[0]);
      if (names_op(join.ops, layers[i].op) && names_op(join.then, layers[next].op) &&
          holds(npu, layers[i], join.where))
        joins.push_back({i, next, join.first_is_free});
    }
  return joins;
}

struct Judged {
  std::vector<NpuLegality> legality;
  std::vector<bool> joined;  // done in one layer with the neighbour, and free by it
};

// Where one of two joined layers stays on the CPU the other stands alone, which may be another
// verdict; so joins are dropped until both layers of each are on the accelerator.
Judged judge(const Npu& npu, std::vector<NpuLayer>& layers, std::vector<Joined> joins) {
  for (;;) {
    Judged judged{{}, std::vector<bool>(layers.size())};
    for (NpuLayer& layer : layers)
      for (NpuField field : {NpuField::kJoinsNext, NpuField::kJoinsPrevious}) layer.set(field, 0);
    for (const Joined& join : joins) {
      layers[join.first].set(NpuField::kJoinsNext, 1);
      layers[join.then].set(NpuField::kJoinsPrevious, 1);
      judged.joined[join.first_is_free ? join.first : join.then] = true;
    }
    for (const NpuLayer& layer : layers) judged.legality.push_back(npu_legality(npu, layer));
    auto stays = [&](size_t i) { return judged.legality[i].verdict == NpuVerdict::kCpu; };
    if (std::erase_if(
            joins, [&](const Joined& join) { return stays(join.first) || stays(join.then); }) == 0)
      return judged;
  }
}

bool after_a_change(NpuVerdict verdict) {
  return verdict == NpuVerdict::kRewrite || verdict == NpuVerdict::kRequantize;
}
bool runs_there(NpuVerdict verdict, bool changed) {
  return verdict == NpuVerdict::kNpu || verdict == NpuVerdict::kUnknown ||
         (changed && after_a_change(verdict));
}

std::vector<NpuExcess> excess_of(const Npu& npu, const std::vector<NpuLayer>& layers,
                                 const std::vector<NpuLayerEstimate>& estimates) {
  std::vector<NpuExcess> excess;
  for (const NpuLimit& limit : npu.limits) {
    if (limit.over == NpuLimit::Over::kEach) continue;
    double sum = 0;
    for (size_t i = 0; i < layers.size(); ++i) {
      if (!runs_there(estimates[i].verdict, true) || !names(limit.ops, layers[i]) ||
          !holds(npu, layers[i], limit.where))
        continue;
      if (limit.over == NpuLimit::Over::kSum)
        sum += amount(npu, layers[i], limit.terms);
      else if (!estimates[i].joined)
        sum += 1;
    }
    const double max = npu_number(npu, NpuLayer{}, limit.max);
    if (sum > max)
      excess.push_back(
          {limit.name, limit.unit, sum, max,
           NpuReason{limit.text.fix, limit.text.reason, limit.text.replacement, limit.confidence}});
  }
  return excess;
}

NpuNetworkCost cost_of(const Npu& npu, const NpuChipPower& power, double clock_hz,
                       const std::vector<NpuLayerEstimate>& layers, bool changed) {
  NpuNetworkCost cost;
  cost.cycles = npu.cost.inference_cycles;
  std::optional<bool> was_there;
  for (const NpuLayerEstimate& layer : layers) {
    if (layer.verdict == NpuVerdict::kFree) continue;
    const bool there = runs_there(layer.verdict, changed);
    if (was_there && *was_there != there) ++cost.handovers;
    was_there = there;
    if (!there) {
      cost.cpu_seconds += layer.cpu_seconds;
    } else if (layer.cycles) {
      cost.cycles += *layer.cycles;
    } else {
      ++cost.unpriced;
      if (names_op({"conv2d", "depthwise_conv2d", "dense"}, layer.op)) ++cost.unpriced_weighted;
    }
  }
  cost.cycles += npu.cost.handover_cycles * cost.handovers;
  cost.npu_seconds = cost.cycles / clock_hz;
  if (!power.npu_mw || (cost.cpu_seconds > 0 && !power.core_mw)) return cost;
  constexpr double kMicrojoulesPerMillijoule = 1000;
  cost.cpu_uj = cost.cpu_seconds * power.core_mw.value_or(0) * kMicrojoulesPerMillijoule;
  cost.energy_uj = cost.npu_seconds * *power.npu_mw * kMicrojoulesPerMillijoule + cost.cpu_uj;
  return cost;
}

std::vector<NpuLayerEstimate> named_layers(const Graph& graph) {
  std::vector<NpuLayerEstimate> layers(graph.nodes.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i].node = static_cast<int>(i);
    layers[i].name = graph.nodes[i].name;
    layers[i].op = op_name(graph.nodes[i].op);
  }
  return layers;
}

void nothing_known(NpuEstimate& estimate, const Graph& graph, const CpuSeconds& cpu_seconds) {
  for (size_t i = 0; i < estimate.layers.size(); ++i) {
    estimate.layers[i].verdict = NpuVerdict::kUnknown;
    estimate.layers[i].reasons = {
        {NpuFix::kRedesign,
         fmt::format(
             "nothing is known of the accelerator '{0}': no target folder has npus/{0}.toml",
             estimate.engine),
         "", Confidence::kHigh}};
    estimate.layers[i].cpu_seconds = cpu_seconds(graph.nodes[i]);
  }
}

// The file's where the power is the file's. A guess of the power adds to what is wrong with time.
std::optional<double> energy_error(const Npu& npu, const NpuChipPower& power,
                                   const NpuFacts& facts) {
  if (power.guess_percent) {
    const double time = npu.cost.error_percent.value_or(kGuessPercent);
    return 100 *
           std::expm1(std::hypot(std::log1p(time / 100), std::log1p(*power.guess_percent / 100)));
  }
  return facts.active_mw ? std::nullopt : npu.cost.energy_error_percent;
}

}  // namespace

std::string_view npu_verdict_name(NpuVerdict verdict) {
  constexpr std::string_view kNames[] = {"npu", "free", "rewrite", "requantize", "cpu", "unknown"};
  return kNames[static_cast<size_t>(verdict)];
}

int NpuEstimate::count(NpuVerdict verdict) const {
  return static_cast<int>(std::ranges::count(layers, verdict, &NpuLayerEstimate::verdict));
}

int NpuEstimate::there(bool as_asked) const {
  return count(NpuVerdict::kNpu) + count(NpuVerdict::kUnknown) +
         (as_asked ? count(NpuVerdict::kRewrite) + count(NpuVerdict::kRequantize) : 0);
}

int NpuEstimate::on_cpu(bool as_asked) const {
  return count(NpuVerdict::kCpu) +
         (as_asked ? 0 : count(NpuVerdict::kRewrite) + count(NpuVerdict::kRequantize));
}

NpuEstimate estimate_npu(const Graph& graph, const Target& target,
                         const std::optional<Npu>& of_file, const CpuSeconds& cpu_seconds) {
  NIBBLE_CHECK(target.npu.has_value(), "target '{}' has no accelerator", target.name);
  NpuEstimate estimate;
  estimate.engine = target.npu->engine;
  estimate.layers = named_layers(graph);
  if (!of_file) {
    nothing_known(estimate, graph, cpu_seconds);
    return estimate;
  }
  const Npu npu = with_variant(*of_file, target.npu->macs_per_cycle);
  estimate.title = npu.title;
  estimate.compiler = npu.compiler;
  estimate.macs_per_cycle = npu.macs_per_cycle;
  estimate.clock_hz = target.npu->clock_hz > 0 ? target.npu->clock_hz : npu.clock_hz;
  estimate.error_percent = npu.cost.error_percent;
  for (const Source& source : npu.sources)
    if (source.figure == npu.cost.source) estimate.error_source = source.text;

  std::vector<NpuLayer> layers;
  double weight_bytes = 0;
  for (const Node& node : graph.nodes) {
    layers.push_back(npu_layer(graph, node));
    weight_bytes += layers.back().number(NpuField::kWeightBytes);
  }
  Judged judged = judge(npu, layers, joined_layers(graph, npu, layers));
  const auto clock_hz = static_cast<double>(estimate.clock_hz);
  const NpuBankRates banks = npu_bank_rates(target, clock_hz, weight_bytes);
  for (size_t i = 0; i < layers.size(); ++i) {
    NpuLayerEstimate& layer = estimate.layers[i];
    layer.verdict = judged.legality[i].verdict;
    layer.reasons = std::move(judged.legality[i].reasons);
    layer.joined = judged.joined[i];
    if (layer.verdict == NpuVerdict::kFree) {
      layer.cycles = 0;
      continue;
    }
    layer.cpu_seconds = cpu_seconds(graph.nodes[i]);
    if (!runs_there(layer.verdict, true)) continue;
    if (std::optional<NpuCycles> found = npu_cycles(npu, layers[i], banks)) {
      layer.cycles = found->cycles + (layer.joined ? 0 : npu.cost.layer_cycles);
      layer.way = std::move(found->way);
    }
  }
  estimate.excess = excess_of(npu, layers, estimate.layers);
  if (npu.ways.empty() || clock_hz <= 0) return estimate;
  const NpuChipPower power = npu_chip_power(npu, target, clock_hz);
  estimate.power_is_guess = power.guess_percent.has_value();
  estimate.energy_error_percent = energy_error(npu, power, *target.npu);
  estimate.as_is = cost_of(npu, power, clock_hz, estimate.layers, false);
  estimate.changed = cost_of(npu, power, clock_hz, estimate.layers, true);
  return estimate;
}

}  // namespace nibble
