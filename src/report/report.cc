// report.json from what the stages returned.
#include "report/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace nibble {

using Json = nlohmann::ordered_json;

namespace {

// Sums say how much was gained; the errors themselves differ from layer to layer.
Json learned_json(const LearnedMethod& method) {
  double before = 0, after = 0;
  int64_t kept = 0;
  Json blocks = Json::array();
  for (const LearnedPart& part : method.parts) {
    before += part.before;
    after += part.after;
    kept += part.kept();
    blocks.push_back({{"nodes", part.nodes},
                      {"before", part.before},
                      {"after", part.after},
                      {"kept", part.kept()}});
  }
  return {{"method", method.name},
          {"before", before},
          {"after", after},
          {"kept", kept},
          {"blocks", blocks}};
}

Json mix_json(const InstructionMix& mix) {
  Json json = Json::object();
  auto add = [&](const MixCounter& counter) {
    if (mix.*counter.count > 0) json[counter.name] = mix.*counter.count;
  };
  for (const MixCounter& counter : kMixClasses) add(counter);
  for (const MixCounter& counter : kMixEvents) add(counter);
  return json;
}

Json figure_json(const CostFigure& figure) {
  return {{"value", figure.value},
          {"low80", figure.low80},
          {"high80", figure.high80},
          {"low95", figure.low95},
          {"high95", figure.high95}};
}

// What so many cycles take where cost/ knows the part's clock and power: ms times mW.
void add_time(Json& json, const RunResult& run, int64_t cycles) {
  if (!run.estimate) return;
  const double ms = static_cast<double>(cycles) / (run.estimate->clock_mhz * 1e3);
  json["latency_ms"] = ms;
  if (run.estimate->power_mw) json["energy_uj"] = ms * run.estimate->power_mw->value;
}

// The two predictions of time: from what was executed, and from the program alone.
Json predicted_json(const RunResult& run) {
  Json by_mix = nullptr;
  if (run.cycles_per_inference > 0) {
    by_mix = {{"cycles", run.cycles_per_inference}, {"wait_cycles", run.wait_cycles}};
    add_time(by_mix, run, run.cycles_per_inference);
  }
  Json by_rules = nullptr;
  if (run.rule_cycles > 0) by_rules = {{"rule_cycles", run.rule_cycles}};
  if (run.estimate) {
    by_rules["cycles"] = figure_json(run.estimate->cycles);
    by_rules["latency_ms"] = figure_json(run.estimate->latency_ms);
    if (run.estimate->energy_uj) by_rules["energy_uj"] = figure_json(*run.estimate->energy_uj);
  }
  return {{"by_mix", by_mix}, {"by_rules", by_rules}};
}

Json layer_json(const RunResult& run, const LayerCost& layer) {
  Json json = {{"name", layer.name},
               {"op", layer.op},
               {"kernel", layer.kernel},
               {"macs", layer.macs},
               {"instructions", layer.instructions},
               {"mix", mix_json(layer.mix)}};
  if (layer.cycles > 0) {
    json["cycles"] = layer.cycles;
    add_time(json, run, layer.cycles);
  }
  if (layer.rule_cycles > 0) json["rule_cycles"] = layer.rule_cycles;
  return json;
}

Json difference_json(const Difference& difference) {
  Json json = {{"sample", difference.sample}, {"output", difference.output}};
  if (!difference.not_compared.empty()) json["not_compared"] = difference.not_compared;
  if (difference.layer.empty()) {
    json["layer"] = nullptr;
    json["why"] = difference.why;
    return json;
  }
  json["layer"] = difference.layer;
  json["op"] = difference.op;
  json["kernel"] = difference.kernel;
  json["differing_bytes"] = difference.differing_bytes;
  json["bytes"] = difference.bytes;
  return json;
}

Json target_json(const Target& target) {
  Json json = {{"name", target.name},
               {"title", target.title},
               {"core", target.core},
               {"flash_bytes", target.flash_bytes},
               {"ram_bytes", target.ram_bytes}};
  if (target.clock_hz > 0) json["clock_mhz"] = static_cast<double>(target.clock_hz) / 1e6;
  return json;
}

Json flash_json(const std::vector<FlashOwner>& owners) {
  Json json = Json::array();
  for (const FlashOwner& owner : owners)
    json.push_back(
        {{"owner", owner.owner}, {"kind", flash_kind_name(owner.kind)}, {"bytes", owner.bytes}});
  return json;
}

}  // namespace

Json finite_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json score_json(const Score& score) {
  Json json = {{"metric", score.metric},
               {"value", score.metric == "none" ? Json(nullptr) : finite_json(score.value)},
               {"samples", score.samples},
               {"arithmetic", score.arithmetic}};
  if (!score.why.empty()) json["not_scored"] = score.why;
  return json;
}

Json run_json(const RunResult& run, const Score& score,
              const std::optional<Difference>& difference) {
  Json layers = Json::array();
  for (const LayerCost& layer : run.layers) layers.push_back(layer_json(run, layer));
  Json json = {{"target", run.target},
               {"core", run.core},
               {"machine", run.machine},
               {"samples", run.samples},
               {"metric", score.metric},
               {"value", score.metric == "none" ? Json(nullptr) : finite_json(score.value)},
               {"matches_host", !difference},
               {"first_difference", difference ? difference_json(*difference) : Json(nullptr)},
               {"instructions_per_inference", run.instructions_per_inference},
               {"macs", run.macs},
               {"mix", mix_json(run.mix)},
               {"predicted", predicted_json(run)},
               {"flash_bytes",
                {{"code", run.flash.code},
                 {"weights", run.flash.weights},
                 {"startup", run.flash.harness},
                 {"total", run.flash.total}}},
               {"ram_bytes",
                {{"arena", run.ram.arena},
                 {"stack", run.ram.stack},
                 {"static", run.ram.static_data},
                 {"total", run.ram.total}}},
               {"layers", layers}};
  if (!score.why.empty()) json["not_scored"] = score.why;
  return json;
}

namespace {

Json quantize_json(const ReportFacts& facts) {
  Json ranges = Json::array(), learned = Json::array(), seconds = Json::object();
  for (const ValueRange& range : facts.ranges)
    ranges.push_back({{"value", range.value},
                      {"seen_min", finite_json(range.seen_min)},
                      {"seen_max", finite_json(range.seen_max)},
                      {"min", range.min},
                      {"max", range.max}});
  for (const LearnedMethod& method : facts.learned) learned.push_back(learned_json(method));
  for (const StageTime& time : facts.times) seconds[time.name] = time.seconds;
  Json quantize = {{"calibrator", facts.calibrator}, {"samples", facts.calibration_samples}};
  if (!seconds.empty()) quantize["seconds"] = seconds;
  quantize["learned"] = learned;
  quantize["ranges"] = ranges;
  return quantize;
}

Json layer_errors_json(const std::vector<LayerError>& layers) {
  Json errors = Json::array();
  for (const LayerError& layer : layers)
    errors.push_back({{"name", layer.node},
                      {"op", layer.op},
                      {"sqnr_db", finite_json(layer.sqnr_db)},
                      {"local_sqnr_db", finite_json(layer.local_sqnr_db)},
                      {"max_abs_error", layer.max_abs_error},
                      {"clipped_share", layer.clipped_share}});
  return errors;
}

}  // namespace

Json make_report(const ReportFacts& facts) {
  Json report = {{"format", "nibble report 1"}, {"model", facts.model}, {"command", facts.command}};
  if (!facts.version.empty()) report["version"] = facts.version;
  report["notes"] = facts.notes;
  report["scores"] = Json::array();
  for (const Score& score : facts.scores) report["scores"].push_back(score_json(score));
  for (const Confusion& confusion : facts.confusion)
    report["confusion"].push_back(confusion_json(confusion));
  if (!facts.calibrator.empty()) report["quantize"] = quantize_json(facts);
  report["layer_errors"] = layer_errors_json(facts.layers);
  if (facts.explanation) report["explain"] = explanation_json(*facts.explanation);
  if (facts.stability) report["stability"] = stability_json(*facts.stability);
  if (facts.graph)
    report["graph"] =
        graph_json(*facts.graph, facts.run ? facts.run->flash_owners : std::vector<FlashOwner>());
  if (facts.program && facts.plan) report["plan"] = memory_json(*facts.program, *facts.plan);
  if (facts.run) {
    report["run"] = run_json(*facts.run, facts.scores.back(), facts.difference);
    report["flash"] = flash_json(facts.run->flash_owners);
  }
  if (facts.target) report["target"] = target_json(*facts.target);
  return report;
}

}  // namespace nibble
