// How far a quantization depends on its calibration samples, as JSON and in words.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/report.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kShownRanges = 10;

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string metric_text(const std::string& metric, double value) {
  return metric == "accuracy" ? fmt::format("{:.2f} %", 100 * value) : fmt::format("{:.5g}", value);
}

std::string verdict(const Json& stability) {
  const auto enough = stability["enough"].get<int64_t>(),
             samples = stability["samples"].get<int64_t>();
  if (enough < samples)
    return fmt::format(
        "{} of the {} samples would be enough: from there on the median scale stays within {} of "
        "the whole set's",
        enough, samples, percent(kEnoughChange));
  return fmt::format(
      "half of the {} samples are not enough, so that more of them may well move the ranges: "
      "calibrate on more",
      samples);
}

}  // namespace

Json stability_json(const Stability& stability) {
  const std::string& metric = stability.metric_name;
  Json ranges = Json::array(), subsets = Json::array();
  for (const RangeStability& range : stability.ranges)
    ranges.push_back({{"value", range.value},
                      {"min", range.min},
                      {"max", range.max},
                      {"least_min", range.least_min},
                      {"largest_min", range.largest_min},
                      {"least_max", range.least_max},
                      {"largest_max", range.largest_max},
                      {"spread", range.spread}});
  for (const SubsetStability& subset : stability.subsets) {
    Json json = {{"samples", subset.samples},
                 {"median_change", subset.median_change},
                 {"largest_change", subset.largest_change},
                 {"value", subset.value}};
    if (!metric.empty()) json["metric"] = subset.metric;
    subsets.push_back(std::move(json));
  }
  Json json = {{"samples", stability.samples},
               {"enough", stability.enough},
               {"resamplings", stability.metrics.size()}};
  if (!metric.empty()) {
    json["metric"] = metric;
    json["value"] = stability.metric;
    json["low"] = stability.metric_low;
    json["high"] = stability.metric_high;
    json["resampled"] = stability.metrics;
  }
  json["ranges"] = std::move(ranges);
  json["subsets"] = std::move(subsets);
  return json;
}

std::string format_stability(const Json& stability) {
  const bool scored = stability.contains("metric");
  const Json &ranges = stability["ranges"], &subsets = stability["subsets"];
  std::vector<std::vector<std::string>> rows = {
      {fmt::format("least stable of {}", ranges.size()), "scale", "range", "min", "max"}};
  for (size_t i = 0; i < std::min(kShownRanges, ranges.size()); ++i) {
    const Json& range = ranges[i];
    auto ends = [&](const char* from, const char* to, const char* between) {
      return fmt::format("{:.4g}{}{:.4g}", range[from].get<double>(), between,
                         range[to].get<double>());
    };
    rows.push_back({range["value"], "± " + percent(range["spread"]), ends("min", "max", " ... "),
                    ends("least_min", "largest_min", " to "),
                    ends("least_max", "largest_max", " to ")});
  }
  std::string text = fmt::format("\ncalibrated on {} resamplings of the {} samples\n{}\n",
                                 stability["resamplings"].get<int64_t>(),
                                 stability["samples"].get<int64_t>(), format_table(rows));
  const std::string metric = scored ? stability["metric"] : "";
  if (scored)
    text += fmt::format(
        "{} {}, resampled {} to {} (95 %)\n\n", metric, metric_text(metric, stability["value"]),
        metric_text(metric, stability["low"]), metric_text(metric, stability["high"]));
  rows = {{"samples", "median change", "largest", "of"}};
  if (scored) rows[0].push_back(metric);
  for (const Json& subset : subsets) {
    rows.push_back({std::to_string(subset["samples"].get<int64_t>()),
                    percent(subset["median_change"]), percent(subset["largest_change"]),
                    subset["value"]});
    if (scored) rows.back().push_back(metric_text(metric, subset["metric"]));
  }
  return text + format_table(rows) + verdict(stability) + "\n";
}

}  // namespace nibble
