// The JSON of an explanation, and its table.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/advice.h"
#include "report/report.h"

namespace nibble {

using Json = nlohmann::ordered_json;

namespace {

Json plot_json(const Plot& plot) {
  Json edges = Json::array();
  for (size_t i = 0; i <= plot.counts.size() && !plot.counts.empty(); ++i)
    edges.push_back(plot.first_edge + static_cast<double>(i) * plot.bin_width);
  return {{"edges", edges},
          {"counts", plot.counts},
          {"clip_min", plot.clip_min},
          {"clip_max", plot.clip_max}};
}

Json saturation_json(const Saturation& saturation) {
  const auto count = static_cast<double>(std::max<int64_t>(saturation.count, 1));
  return {{"low", saturation.low},
          {"high", saturation.high},
          {"count", saturation.count},
          {"low_share", static_cast<double>(saturation.low) / count},
          {"high_share", static_cast<double>(saturation.high) / count},
          {"low_is_zero", saturation.low_is_zero}};
}

Json effect_json(const Effect& effect, const Score& base) {
  Json json = score_json(effect.score);
  json["loss"] =
      effect.score.metric == "none" ? Json(nullptr) : finite_json(score_loss(base, effect.score));
  json["output_sqnr_db"] = finite_json(effect.output_sqnr_db);
  return json;
}

Json layer_json(const LayerEvidence& layer, size_t position) {
  Json dead = Json::array(), findings = Json::array();
  for (const DeadChannel& channel : layer.dead)
    dead.push_back({{"channel", channel.channel}, {"why", dead_channel_why(channel.why)}});
  for (const ScaleFinding& finding : layer.findings)
    findings.push_back({{"kind", scale_finding_name(finding.kind)},
                        {"value", finding.value},
                        {"limit", finding.limit},
                        {"channel", finding.channel < 0 ? Json(nullptr) : Json(finding.channel)},
                        {"text", finding_text(layer, finding)}});
  const bool weights = layer.weights.has_value();
  return {
      {"position", position},
      {"name", layer.error.node},
      {"op", layer.error.op},
      {"sqnr_db", finite_json(layer.error.sqnr_db)},
      {"local_sqnr_db", finite_json(layer.error.local_sqnr_db)},
      {"cosine", layer.error.cosine},
      {"max_abs_error", layer.error.max_abs_error},
      {"seen_min", layer.seen_min},
      {"seen_max", layer.seen_max},
      {"deviation", layer.deviation},
      {"saturation", saturation_json(layer.saturation)},
      {"channels", layer.channels},
      {"dead_channels", dead},
      {"activation_bits", layer.activation_bits},
      {"weight_bits", weights ? Json(layer.weight_bits) : Json(nullptr)},
      {"weight_sqnr_db", layer.weight_sqnr_db ? finite_json(*layer.weight_sqnr_db) : Json(nullptr)},
      {"findings", findings},
      {"activations", plot_json(layer.activations)},
      {"weights", weights ? plot_json(*layer.weights) : Json(nullptr)}};
}

std::string decibel(const Json& value) {
  return value.is_null() ? "exact" : fmt::format("{:.1f}", value.get<double>());
}

// A loss in points of accuracy, or in the metric's unit.
std::string loss_text(const Json& effect) {
  if (effect.is_null() || effect["loss"].is_null()) return "-";
  const double loss = effect["loss"].get<double>();
  // "-0.00" says nothing more than "0.00".
  if (effect["metric"] == "accuracy")
    return fmt::format("{:.2f}", std::abs(loss) < 5e-5 ? 0.0 : 100 * loss);
  return fmt::format("{:.3g}", loss);
}

std::vector<std::string> layer_row(const Json& layer, bool effects) {
  const Json& saturation = layer["saturation"];
  auto share = [&](const char* key) {
    return fmt::format("{:.2f}", 100 * saturation[key].get<double>());
  };
  std::vector<std::string> row = {
      std::to_string(layer["position"].get<int64_t>()),
      layer["name"],
      layer["op"],
      decibel(layer["sqnr_db"]),
      decibel(layer["local_sqnr_db"]),
      fmt::format("{:.5f}", layer["cosine"].get<double>()),
      fmt::format("{:.3g}", layer["max_abs_error"].get<double>()),
      saturation["low_is_zero"].get<bool>() ? "(" + share("low_share") + ")" : share("low_share"),
      share("high_share"),
      layer["dead_channels"].empty()
          ? "-"
          : fmt::format("{}/{}", layer["dead_channels"].size(), layer["channels"].get<int64_t>())};
  if (effects) {
    const Json& alone = layer["alone"];
    row.push_back(alone.is_null() ? "-" : decibel(alone["output_sqnr_db"]));
    row.push_back(loss_text(alone));
    row.push_back(loss_text(layer["kept_in_float"]));
  }
  std::vector<std::string> kinds;
  for (const Json& finding : layer["findings"]) kinds.push_back(finding["kind"]);
  row.push_back(kinds.empty() ? "-" : join(kinds, ", "));
  return row;
}

}  // namespace

double score_loss(const Score& base, const Score& found) {
  if (base.metric == "none" || found.metric != base.metric) return 0;
  return base.metric == "accuracy" ? base.value - found.value : found.value - base.value;
}

Json explanation_json(const Explanation& explanation) {
  Json json = {{"samples", explanation.samples}, {"scores", nullptr}};
  const bool scored = explanation.real.has_value();
  if (scored)
    json["scores"] = {{"float", score_json(*explanation.real)},
                      {"integer", score_json(*explanation.integer)},
                      {"emulated", effect_json(*explanation.emulated, *explanation.real)}};
  Json layers = Json::array();
  for (size_t i = 0; i < explanation.layers.size(); ++i) {
    Json layer = layer_json(explanation.layers[i], i);
    layer["alone"] = layer["kept_in_float"] = nullptr;
    if (scored && explanation.effects[i]) {
      layer["alone"] = effect_json(explanation.effects[i]->alone, *explanation.real);
      layer["kept_in_float"] = effect_json(explanation.effects[i]->kept, *explanation.real);
    }
    layers.push_back(std::move(layer));
  }
  json["layers"] = std::move(layers);
  Json worst = Json::array();
  for (size_t i : worst_first(explanation)) worst.push_back(i);
  json["worst_first"] = std::move(worst);
  json["certificate"] = certificate_json(explanation.certificate);
  json["advice"] = advice(explanation);
  return json;
}

std::string format_explanation(const Json& explanation) {
  const bool effects = !explanation["scores"].is_null();
  std::vector<std::string> header = {"#",      "layer",     "op",    "SQNR dB", "local dB",
                                     "cosine", "max error", "% low", "% high",  "dead"};
  if (effects) header.insert(header.end(), {"alone dB", "alone loss", "without loss"});
  header.emplace_back("scales");
  std::vector<std::vector<std::string>> rows = {header};
  for (const Json& index : explanation["worst_first"])
    rows.push_back(layer_row(explanation["layers"][index.get<size_t>()], effects));
  std::string text = fmt::format("{} samples, the worst layers first\n\n{}\n",
                                 explanation["samples"].get<int64_t>(), format_table(rows));
  text +=
      "SQNR: with all that was lost before; local: the layer alone on the float network's values. "
      "Low, high: values at the ends of the grid\n(in brackets where that is real zero).";
  if (effects)
    text +=
        " Alone: only this layer quantized; without: all but this layer; the loss is against "
        "float.";
  text += "\n\n";
  for (const Json& sentence : explanation["advice"])
    text += "- " + sentence.get<std::string>() + "\n";
  return text + "\n" + format_certificate(explanation["certificate"]);
}

}  // namespace nibble
