#include "cost/npu/cycles.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "cost/npu/rules.h"

namespace nibble {
namespace {

constexpr std::string_view kSerial = "serial";

// The largest bank of the first of the kinds that the target has one of.
const MemoryBank* largest_bank(const Target& target, std::initializer_list<MemoryKind> kinds,
                               double bytes) {
  const MemoryBank* found = nullptr;
  for (const MemoryBank& bank : target.memory)
    if (std::ranges::find(kinds, bank.kind) != kinds.end() &&
        static_cast<double>(bank.bytes) >= bytes && (!found || bank.bytes > found->bytes))
      found = &bank;
  return found;
}

double rate_of(const MemoryBank* bank, const Target& target, double clock_hz) {
  if (!bank || bank->wait_cycles <= 0 || target.clock_hz <= 0 || clock_hz <= 0)
    return std::numeric_limits<double>::infinity();
  const double bytes_per_core_cycle =
      static_cast<double>(bank->line_bytes) / (1 + bank->wait_cycles);
  return bytes_per_core_cycle * static_cast<double>(target.clock_hz) / clock_hz;
}

}  // namespace

NpuBankRates npu_bank_rates(const Target& target, double clock_hz, double weight_bytes) {
  const MemoryBank* weights = largest_bank(target, {MemoryKind::kNpuWeights}, 0);
  if (!weights) weights = largest_bank(target, {MemoryKind::kFlash}, weight_bytes);
  if (!weights) weights = largest_bank(target, {MemoryKind::kExternalFlash}, 0);
  const MemoryBank* data = largest_bank(target, {MemoryKind::kNpuRam}, 0);
  if (!data) data = largest_bank(target, {MemoryKind::kRam, MemoryKind::kTcm}, 0);
  if (!data) data = largest_bank(target, {MemoryKind::kExternalRam}, 0);
  return {rate_of(data, target, clock_hz), rate_of(weights, target, clock_hz)};
}

std::optional<NpuCycles> npu_cycles(const Npu& npu, const NpuLayer& layer,
                                    const NpuBankRates& banks) {
  std::map<std::string_view, double> streams;
  for (const NpuStream& stream : npu.streams) {
    if (!names(stream.ops, layer) || !holds(npu, layer, stream.where)) continue;
    double bytes = 0;
    for (NpuField field : stream.of) bytes += layer.number(field);
    const double rate = std::min(npu_number(npu, layer, stream.bytes_per_cycle),
                                 stream.of_weights ? banks.weights : banks.data);
    streams[stream.unit] += bytes / rate;
  }
  std::optional<NpuCycles> best;
  for (const NpuWay& way : npu.ways) {
    if (!names(way.ops, layer) || !holds(npu, layer, way.where)) continue;
    std::map<std::string_view, double> units = streams;
    for (const NpuTerm& term : way.terms) units[term.unit] += amount(npu, layer, term);
    double serial = 0, side_by_side = 0;
    for (const auto& [unit, cycles] : units) {
      if (unit == kSerial)
        serial = cycles;
      else
        side_by_side = std::max(side_by_side, cycles);
    }
    const double cycles = serial + side_by_side;
    if (!best || cycles < best->cycles) best = NpuCycles{cycles, way.name};
  }
  return best;
}

std::optional<double> npu_power_mw(const Npu& npu, double clock_hz) {
  if (npu.power.empty() || clock_hz <= 0) return std::nullopt;
  const NpuPower& slowest = npu.power.front();
  const NpuPower& fastest = npu.power.back();
  if (clock_hz <= slowest.clock_hz) return slowest.active_mw * clock_hz / slowest.clock_hz;
  if (clock_hz >= fastest.clock_hz) return fastest.active_mw * clock_hz / fastest.clock_hz;
  const auto above = std::ranges::lower_bound(npu.power, clock_hz, {}, &NpuPower::clock_hz);
  const auto below = std::prev(above);
  return std::lerp(below->active_mw, above->active_mw,
                   (clock_hz - below->clock_hz) / (above->clock_hz - below->clock_hz));
}

}  // namespace nibble
