// Estimates as JSON: field names that stay, units in the names.
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "pipeline/estimate.h"
#include "pipeline/figure_text.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json range_json(const std::optional<CostFigure>& figure, double factor = 1) {
  if (!figure) return nullptr;
  const CostFigure in_unit = scaled(*figure, factor);
  return {{"value", in_unit.value},
          {"low80", in_unit.low80},
          {"high80", in_unit.high80},
          {"low95", in_unit.low95},
          {"high95", in_unit.high95}};
}

Json error_json(const std::optional<PublishedError>& error) {
  if (!error) return nullptr;
  return {{"median", error->median}, {"p90", error->p90}, {"rows", error->rows}, {"of", error->of}};
}

std::string_view of_name(EstimateOf of) {
  return of == EstimateOf::kNibble ? "nibble" : of == EstimateOf::kPeer ? "engine" : "npu";
}

Json or_null(const std::optional<double>& figure) { return figure ? Json(*figure) : Json(nullptr); }

Json shortfalls_json(const std::vector<Shortfall>& shortfalls) {
  Json list = Json::array();
  for (const Shortfall& lacking : shortfalls)
    list.push_back({{"of", lacking.of},
                    {"needs", lacking.needs},
                    {"has", lacking.has},
                    {"ratio", or_null(lacking.ratio)}});
  return list;
}

Json npu_layer_json(const NpuLayerEstimate& layer) {
  Json reasons = Json::array();
  for (const NpuReason& reason : layer.reasons)
    reasons.push_back({{"reason", reason.reason},
                       {"replacement", reason.replacement},
                       {"confidence", confidence_name(reason.confidence)}});
  return {{"name", layer.name},
          {"op", layer.op},
          {"verdict", npu_verdict_name(layer.verdict)},
          {"cycles", layer.cycles ? Json(*layer.cycles) : Json(nullptr)},
          {"reasons", reasons}};
}

Json npu_json(const std::optional<NpuEstimate>& npu) {
  if (!npu) return nullptr;
  Json json = {{"engine", npu->engine}, {"compiler", npu->compiler}};
  for (NpuVerdict verdict : {NpuVerdict::kNpu, NpuVerdict::kFree, NpuVerdict::kRewrite,
                             NpuVerdict::kRequantize, NpuVerdict::kCpu, NpuVerdict::kUnknown})
    json[npu_verdict_name(verdict)] = npu->count(verdict);
  json["error_percent"] = or_null(npu->error_percent);
  json["energy_error_percent"] = or_null(npu->energy_error_percent);
  json["error_source"] = npu->error_source;
  json["power_is_guess"] = npu->power_is_guess;
  json["handovers"] = npu->as_is ? Json(npu->as_is->handovers) : Json(nullptr);
  json["changed_latency_us"] = npu->changed && npu->changed->unpriced_weighted == 0
                                   ? Json(npu->changed->seconds() * 1e6)
                                   : Json(nullptr);
  json["excess"] = Json::array();
  for (const NpuExcess& excess : npu->excess)
    json["excess"].push_back({{"limit", excess.limit},
                              {"amount", excess.amount},
                              {"max", excess.max},
                              {"unit", excess.unit},
                              {"reason", excess.why.reason},
                              {"replacement", excess.why.replacement}});
  return json;
}

Json steps_json(const std::vector<DutyStep>& steps) {
  Json list = Json::array();
  for (const DutyStep& step : steps)
    list.push_back({{"name", step.name},
                    {"time_us", step.seconds * 1e6},
                    {"energy_uj", or_null(step.microjoules)}});
  return list;
}

Json part_json(const PartEstimate& part) {
  const Target& target = *part.target;
  const double mhz = static_cast<double>(target.clock_hz) / 1e6;
  return {{"name", target.name},
          {"title", target.title},
          {"vendor", target.vendor},
          {"core", target.core},
          {"clock_mhz", mhz > 0 ? Json(mhz) : Json(nullptr)},
          {"of", of_name(part.of)},
          {"engine", part.engine},
          {"fits", part.fits()},
          {"why_not", join(part.why_not, "; ")},
          {"reasons", part.why_not},
          {"shortfalls", shortfalls_json(part.shortfalls)},
          {"notes", part.notes},
          {"flash_bytes", part.flash_bytes},
          {"flash_available_bytes", target.flash_bytes},
          {"code_is_measured", part.code_is_measured},
          {"ram_bytes", part.ram.total()},
          {"ram_parts",
           {{"arena", part.ram.arena},
            {"copied_weights", part.ram.copied_weights},
            {"stack", part.ram.stack},
            {"inputs_and_outputs", part.ram.ports}}},
          {"ram_available_bytes", target.ram_bytes},
          {"layers_in_bands", part.bands},
          {"cycles", range_json(part.cycles)},
          {"latency_us", range_json(part.latency_ms, 1e3)},
          {"energy_uj", range_json(part.energy_uj)},
          {"power_uw", range_json(part.power_mw, 1e3)},
          {"round_uj", range_json(part.duty.round_uj)},
          {"round", steps_json(part.duty.steps)},
          {"average_uw", range_json(part.duty.average_mw, 1e3)},
          {"battery_days", range_json(part.duty.battery_days)},
          {"co2_g_per_million", range_json(part.duty.grams_per_million)},
          {"latency_error", error_json(part.latency_error)},
          {"energy_error", error_json(part.energy_error)},
          {"unseen", part.unseen},
          {"provenance", part.provenance},
          {"npu", npu_json(part.npu)}};
}

// Each with its share of the whole.
Json layers_json(const PartEstimate& part) {
  Json layers = Json::array();
  for (const LayerEstimate& layer : part.layers) {
    const double share = part.latency_ms && part.latency_ms->value > 0
                             ? layer.latency_ms / part.latency_ms->value
                             : 0;
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"share", share},
                      {"cycles", range_json(part.cycles, share)},
                      {"latency_us", range_json(part.latency_ms, 1e3 * share)},
                      {"energy_uj", range_json(part.energy_uj, share)}});
  }
  return layers;
}

// Of cores whose error is far from that of all together.
std::string errors_by_core(const std::vector<PartEstimate>& parts, const PublishedError& all) {
  std::map<std::string, PublishedError> cores;
  for (const PartEstimate& part : parts)
    if (part.latency_error && part.latency_error->median > 2 * all.median)
      cores.emplace(part.latency_error->of, *part.latency_error);
  std::string text;
  for (const auto& [core, error] : cores)
    text += fmt::format("{} {} {:.0f} % ({:.0f} %; {})", text.empty() ? "; of" : ",", core,
                        100 * error.median, 100 * error.p90, error.rows);
  return text;
}

std::string error_text(const std::vector<PartEstimate>& parts) {
  const PublishedError time = published_latency_error(), energy = published_energy_error();
  return fmt::format(
      "Times of other engines on boards left out of the fit were off by {:.0f} % in the median "
      "({:.0f} % in nine of ten; {} measurements{}), energies by {:.0f} % ({:.0f} %; {}). nibble's "
      "own code has not been timed on hardware. 80 and 95 of 100 such figures lie in the ranges; "
      "those of accelerators are as wide as the checks with published figures ask (doc/npus.md).",
      100 * time.median, 100 * time.p90, time.rows, errors_by_core(parts, time),
      100 * energy.median, 100 * energy.p90, energy.rows);
}

std::string conditions_text(const Duty& duty) {
  std::vector<std::string> parts;
  if (duty.rate_hz > 0)
    parts.push_back(fmt::format("an inference every {}", time_text(1e6 / duty.rate_hz)));
  for (const DutyPhase& phase : duty.phases)
    parts.push_back(fmt::format("{} {} at {}", phase.name, time_text(phase.seconds * 1e6),
                                power_text(phase.milliwatts * 1e3)));
  if (duty.sleep_mw) parts.push_back(fmt::format("asleep at {}", power_text(*duty.sleep_mw * 1e3)));
  if (duty.battery)
    parts.push_back(
        fmt::format("a battery of {} ({:.4g} J)", duty.battery->text, duty.battery->joules));
  if (duty.grid_grams_per_kwh != kWorldGridGrams)
    parts.push_back(fmt::format("electricity of {:.4g} g CO2 per kWh", duty.grid_grams_per_kwh));
  return join(parts, ", ");
}

}  // namespace

Json estimates_json(const Estimates& estimates) {
  const EstimateQuery& query = estimates.query;
  Json json = {{"model", estimates.model},
               {"note", estimates.note},
               {"error", error_text(estimates.parts)},
               {"conditions", conditions_text(query.duty)},
               {"co2_g_per_kwh", query.duty.grid_grams_per_kwh},
               {"order", estimate_orders()[static_cast<size_t>(query.order)]},
               {"targets", Json::array()}};
  for (const PartEstimate& part : estimates.parts) json["targets"].push_back(part_json(part));
  if (query.focus.empty()) return json;
  json["target"] = query.focus;
  for (const PartEstimate& part : estimates.parts) {
    if (part.target->name != query.focus) continue;
    if (part.of == EstimateOf::kNibble) json["layers"] = layers_json(part);
    if (!part.npu) continue;
    json["npu_layers"] = Json::array();
    for (const NpuLayerEstimate& layer : part.npu->layers)
      json["npu_layers"].push_back(npu_layer_json(layer));
  }
  return json;
}

}  // namespace nibble
