// Estimates for a terminal, from their JSON alone.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "pipeline/estimate.h"
#include "pipeline/figure_text.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

std::string range_text(const Json& range, FigureText text) {
  if (range.is_null()) return "not known";
  return range_text(CostFigure{range["value"], range["low80"], range["high80"], 0, 0}, text);
}
std::string value_text(const Json& range, FigureText text) {
  return range.is_null() ? "-" : text(range["value"]);
}

std::string of_available(const Json& part, const std::string& memory) {
  const auto used = part[memory + "_bytes"].get<int64_t>(),
             available = part[memory + "_available_bytes"].get<int64_t>();
  return fmt::format("{} of {} ({:.1f} %)", human_bytes(used), human_bytes(available),
                     100.0 * static_cast<double>(used) / static_cast<double>(available));
}

void line(std::string& text, std::string_view label, const std::string& value) {
  if (!value.empty()) text += fmt::format("  {:<18}{}\n", label, value);
}

std::string npu_text(const Json& npu) {
  std::vector<std::string> counts;
  for (const auto& [key, words] :
       std::map<std::string, std::string>{{"npu", "there"},
                                          {"rewrite", "would after a rewrite"},
                                          {"requantize", "would if quantized otherwise"},
                                          {"cpu", "on the core"},
                                          {"unknown", "nobody knows of"}})
    if (const int count = npu[key]; count > 0) counts.push_back(fmt::format("{} {}", count, words));
  std::string text = "layers: " + join(counts, ", ");
  if (!npu["changed_latency_us"].is_null() &&
      npu["rewrite"].get<int>() + npu["requantize"].get<int>() > 0)
    text += fmt::format("; with what can be changed, changed: {}",
                        time_text(npu["changed_latency_us"]));
  if (!npu["compiler"].get<std::string>().empty())
    text += fmt::format("; compiled by {}", npu["compiler"].get<std::string>());
  return text;
}

// Each reason once, with how many layers have it.
std::string npu_reasons(const Json& layers) {
  std::vector<std::pair<std::string, int>> reasons;
  for (const Json& layer : layers)
    for (const Json& reason : layer["reasons"]) {
      std::string words = fmt::format("{}: {}", layer["op"].get<std::string>(),
                                      reason["reason"].get<std::string>());
      if (const std::string& instead = reason["replacement"]; !instead.empty())
        words += fmt::format("\n      instead: {}", instead);
      const auto found = std::ranges::find(reasons, words, &std::pair<std::string, int>::first);
      if (found == reasons.end())
        reasons.emplace_back(words, 1);
      else
        ++found->second;
    }
  std::string text;
  for (const auto& [words, count] : reasons)
    text += fmt::format("    {}{}\n", count > 1 ? fmt::format("{} layers, ", count) : "", words);
  return text;
}

std::string one_part(const Json& part) {
  std::string text =
      fmt::format("{}: {}\n", part["name"].get<std::string>(), part["engine"].get<std::string>());
  const std::string& why_not = part["why_not"];
  line(text, "verdict", why_not.empty() ? "fits" : "out: " + why_not);
  // What other engines and accelerators take is not known: hardly less.
  const std::string least = part["of"] == "nibble" ? "" : "at least ";
  line(text, "flash",
       least + of_available(part, "flash") +
           (part["code_is_measured"].get<bool>() ? "" : ", code predicted"));
  line(text, "RAM",
       least + of_available(part, "ram") +
           (part["layers_in_bands"] > 0
                ? fmt::format(", {} layers in bands", part["layers_in_bands"].get<int>())
                : ""));
  line(text, "latency", range_text(part["latency_us"], time_text));
  line(text, "energy", range_text(part["energy_uj"], energy_text));
  line(text, "power", range_text(part["power_uw"], power_text));
  if (!part["average_uw"].is_null())
    line(text, "average power", range_text(part["average_uw"], power_text));
  if (!part["battery_days"].is_null())
    line(text, "battery", range_text(part["battery_days"], days_text));
  if (!part["co2_g_per_million"].is_null())
    line(text, "CO2 of a million", range_text(part["co2_g_per_million"], grams_text));
  if (!part["npu"].is_null()) line(text, "accelerator", npu_text(part["npu"]));
  for (const Json& note : part["notes"]) line(text, "note", note);
  if (!part["unseen"].empty())
    line(text, "never measured",
         join(part["unseen"].get<std::vector<std::string>>(), ", ") + ": the range is wider");
  line(text, "how it is known", part["provenance"]);
  return text;
}

std::string layers_table(const Json& layers) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "cycles", "time", "energy", "share"}};
  for (const Json& layer : layers)
    rows.push_back({layer["name"], layer["op"],
                    layer["cycles"].is_null()
                        ? "-"
                        : with_thousands(std::llround(layer["cycles"]["value"].get<double>())),
                    value_text(layer["latency_us"], time_text),
                    value_text(layer["energy_uj"], energy_text),
                    fmt::format("{:.1f} %", 100 * layer["share"].get<double>())});
  return format_table(rows);
}

// What stands before the first colon: "RAM", "latency".
std::string kind_of(const std::string& why) { return why.substr(0, why.find(':')); }

std::string rejected(const Json& targets) {
  std::map<std::string, std::vector<std::string>> by_kind;
  for (const Json& part : targets)
    for (const Json& why : part["reasons"]) {
      const std::string& name = part["name"];
      by_kind[kind_of(why)].push_back(
          part["of"] == "nibble" ? name
                                 : fmt::format("{} ({})", name, part["engine"].get<std::string>()));
    }
  std::string text;
  constexpr size_t kNamed = 6;
  for (const auto& [kind, names] : by_kind) {
    text += fmt::format("  {} out for {}: {}{}\n", names.size(), kind,
                        join(std::span(names).first(std::min(kNamed, names.size())), ", "),
                        names.size() > kNamed ? ", ..." : "");
  }
  return text;
}

std::string ranking(const Json& estimates, size_t most) {
  const Json& targets = estimates["targets"];
  bool average = false, battery = false;
  for (const Json& part : targets) {
    average |= !part["average_uw"].is_null();
    battery |= !part["battery_days"].is_null();
  }
  std::vector<std::vector<std::string>> rows = {
      {"target", "core", "by", "flash", "RAM", "latency (80 of 100)", "energy (80 of 100)"}};
  if (average) rows[0].emplace_back("average");
  if (battery) rows[0].emplace_back("battery");
  size_t in = 0;
  for (const Json& part : targets) {
    if (!part["fits"].get<bool>() || ++in > most) continue;
    rows.push_back({part["name"], part["core"], part["engine"],
                    human_bytes(part["flash_bytes"].get<int64_t>()),
                    human_bytes(part["ram_bytes"].get<int64_t>()),
                    range_text(part["latency_us"], time_text),
                    range_text(part["energy_uj"], energy_text)});
    if (average) rows.back().push_back(value_text(part["average_uw"], power_text));
    if (battery) rows.back().push_back(value_text(part["battery_days"], days_text));
  }
  std::string text = in == 0 ? "nothing fits\n" : format_table(rows);
  if (in > most) text += fmt::format("  and {} more (--top N shows them)\n", in - most);
  return text + rejected(targets);
}

}  // namespace

std::string format_estimates(const Json& estimates, size_t most) {
  std::string text;
  if (const std::string& conditions = estimates["conditions"]; !conditions.empty())
    text += conditions + "\n";
  const bool of_one = estimates.contains("target") &&
                      std::ranges::all_of(estimates["targets"], [&](const Json& part) {
                        return part["name"] == estimates["target"];
                      });
  if (of_one) {
    for (const Json& part : estimates["targets"]) text += one_part(part);
    if (estimates.contains("npu_layers")) text += npu_reasons(estimates["npu_layers"]);
    if (estimates.contains("layers") && !estimates["layers"].empty())
      text += layers_table(estimates["layers"]);
  } else {
    text += ranking(estimates, most);
  }
  if (const std::string& note = estimates["note"]; !note.empty()) text += "note: " + note + "\n";
  return text + estimates["error"].get<std::string>() + "\n";
}

}  // namespace nibble
