// An estimate in words, for a terminal.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"
#include "cost/npu/npu.h"

namespace nibble {
namespace {

constexpr NpuVerdict kVerdicts[] = {NpuVerdict::kNpu,     NpuVerdict::kFree,
                                    NpuVerdict::kRewrite, NpuVerdict::kRequantize,
                                    NpuVerdict::kCpu,     NpuVerdict::kUnknown};

// The layers of one verdict, operator and text, which are told once.
struct Alike {
  const NpuLayerEstimate* first;
  int count;
};

std::string reasons_of(const NpuLayerEstimate& layer) {
  std::string text;
  for (const NpuReason& each : layer.reasons) {
    text += "    " + each.reason + "\n";
    if (!each.replacement.empty()) text += "      instead: " + each.replacement + "\n";
  }
  return text;
}

std::vector<Alike> alike(const NpuEstimate& estimate, NpuVerdict verdict) {
  std::vector<Alike> groups;
  for (const NpuLayerEstimate& layer : estimate.layers) {
    if (layer.verdict != verdict || layer.reasons.empty()) continue;
    const auto found = std::ranges::find_if(groups, [&](const Alike& group) {
      return group.first->op == layer.op && reasons_of(*group.first) == reasons_of(layer);
    });
    if (found == groups.end())
      groups.push_back({&layer, 1});
    else
      ++found->count;
  }
  return groups;
}

std::string line_of(std::string_view what, const NpuNetworkCost& cost, const NpuEstimate& of) {
  std::string line =
      fmt::format("{}: {:.3g} ms ({:.3g} ms", what, cost.seconds() * 1e3, cost.npu_seconds * 1e3);
  if (of.error_percent && cost.npu_seconds > 0)
    line += fmt::format(" ± {:.0f}%", *of.error_percent);
  line += fmt::format(" there, {:.3g} ms on the CPU, {} handovers", cost.cpu_seconds * 1e3,
                      cost.handovers);
  if (cost.unpriced > 0) line += fmt::format(", {} layers without a figure", cost.unpriced);
  line += ")";
  if (cost.energy_uj) line += fmt::format(", {:.3g} uJ", *cost.energy_uj);
  return line + "\n";
}

}  // namespace

std::string format_npu_estimate(const NpuEstimate& estimate) {
  std::string text = estimate.title.empty() ? estimate.engine : estimate.title;
  if (estimate.macs_per_cycle > 0)
    text += fmt::format(", {:.4g} products per cycle", estimate.macs_per_cycle);
  if (estimate.clock_hz > 0)
    text += fmt::format(", {:.4g} MHz", static_cast<double>(estimate.clock_hz) / 1e6);
  text += "\nlayers:";
  for (NpuVerdict verdict : kVerdicts)
    if (const int count = estimate.count(verdict); count > 0)
      text += fmt::format(" {} {}", count, npu_verdict_name(verdict));
  text += "\n";
  for (const NpuExcess& each : estimate.excess)
    text +=
        fmt::format("too large: {}, {:.6g} of at most {:.6g} {}: {}\n  instead: {}\n", each.limit,
                    each.amount, each.max, each.unit, each.why.reason, each.why.replacement);
  for (NpuVerdict verdict : kVerdicts)
    for (const Alike& group : alike(estimate, verdict)) {
      text += fmt::format("  {}: {}", npu_verdict_name(verdict), group.first->op);
      text += group.count > 1
                  ? fmt::format(", {} layers, the first '{}'\n", group.count, group.first->name)
                  : fmt::format(" '{}'\n", group.first->name);
      text += reasons_of(*group.first);
    }
  if (estimate.as_is) text += line_of("as it stands", *estimate.as_is, estimate);
  const bool differs =
      estimate.count(NpuVerdict::kRewrite) + estimate.count(NpuVerdict::kRequantize) > 0;
  if (estimate.changed && differs)
    text += line_of("rewritten and requantized", *estimate.changed, estimate);
  return text;
}

}  // namespace nibble
