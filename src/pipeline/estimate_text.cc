// Estimates for a terminal, from their JSON alone.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "pipeline/estimate.h"
#include "pipeline/figure_text.h"
#include "pipeline/shortfall_text.h"

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

constexpr size_t kLabelColumns = 20;

void line(std::string& text, std::string_view label, const std::string& value) {
  if (!value.empty())
    text += fmt::format("  {:<18}{}\n", label, wrap_text(value, kTextColumns, kLabelColumns));
}

std::string npu_text(const Json& npu) {
  constexpr std::pair<std::string_view, std::string_view> kVerdicts[] = {
      {"npu", "there"},
      {"cpu", "on the core"},
      {"rewrite", "there after a rewrite"},
      {"requantize", "there if quantized otherwise"},
      {"unknown", "not known"}};
  std::vector<std::string> counts;
  for (const auto& [key, words] : kVerdicts)
    if (const int count = npu[key]; count > 0) counts.push_back(fmt::format("{} {}", count, words));
  std::string text = "layers: " + join(counts, ", ");
  if (!npu["changed_latency_us"].is_null() &&
      npu["rewrite"].get<int>() + npu["requantize"].get<int>() > 0)
    text += fmt::format("; {} with those rewritten and requantized",
                        time_text(npu["changed_latency_us"]));
  if (!npu["compiler"].get<std::string>().empty())
    text += fmt::format("; compiled by {}", npu["compiler"].get<std::string>());
  return text;
}

constexpr std::string_view stays_text(std::string_view verdict) {
  return verdict == "rewrite"      ? "after a rewrite"
         : verdict == "requantize" ? "if quantized otherwise"
         : verdict == "cpu"        ? "on the core"
                                   : "not known";
}

// The layers that the accelerator does not take as they stand, those of one operator and one
// reason together, with what would help.
std::string npu_reasons(const Json& layers) {
  constexpr size_t kNamed = 12;
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // words, layers
  size_t named = 0, all = 0;
  for (const Json& layer : layers) {
    if (layer["reasons"].empty()) continue;
    if (++all > kNamed) continue;
    ++named;
    std::string words = fmt::format(" ({}), {}: ", layer["op"].get<std::string>(),
                                    stays_text(layer["verdict"].get<std::string>()));
    std::vector<std::string> reasons;
    for (const Json& reason : layer["reasons"]) {
      reasons.push_back(reason["reason"]);
      if (const std::string& instead = reason["replacement"]; !instead.empty())
        reasons.back() += fmt::format("\n      instead: {}", instead);
    }
    words += join(reasons, "\n      and ");
    auto found = std::ranges::find(groups, words, &decltype(groups)::value_type::first);
    if (found == groups.end()) found = groups.insert(found, {words, {}});
    found->second.push_back(layer["name"]);
  }
  std::string text;
  for (const auto& [words, names] : groups)
    text += fmt::format("    {}{}\n", join(names, ", "), words);
  if (all > named) text += fmt::format("    and {} more; --json lists all\n", all - named);
  return text;
}

// deploy measures the first of these, and what the stack really takes.
std::string ram_parts_text(const Json& parts) {
  auto bytes = [&](const char* name) { return human_bytes(parts[name].get<int64_t>()); };
  std::string text = "arena " + bytes("arena");
  if (parts["copied_weights"] > 0) text += ", copies of weights " + bytes("copied_weights");
  return text + fmt::format(
                    "; stack at most {}; beside it the caller's own inputs and outputs, {}, where "
                    "it does not use those in the arena",
                    bytes("stack"), bytes("inputs_and_outputs"));
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
  line(text, "  of it", ram_parts_text(part["ram_parts"]));
  line(text, "latency", range_text(part["latency_us"], time_text));
  line(text, "energy", range_text(part["energy_uj"], energy_text));
  line(text, "power", range_text(part["power_uw"], power_text));
  if (!part["average_uw"].is_null())
    line(text, "average power", range_text(part["average_uw"], power_text));
  if (!part["battery_days"].is_null())
    line(text, "battery", range_text(part["battery_days"], days_text));
  if (!part["co2_g_per_million"].is_null())
    line(text, "CO2 of a million",
         (part["round"].empty() ? "inferences: " : "rounds: ") +
             range_text(part["co2_g_per_million"], grams_text));
  if (!part["npu"].is_null()) line(text, "accelerator", npu_text(part["npu"]));
  for (const Json& note : part["notes"]) line(text, "note", note);
  if (!part["unseen"].empty())
    line(text, "never measured",
         join(part["unseen"].get<std::vector<std::string>>(), ", ") + ": the range is wider");
  line(text, "how it is known", part["provenance"]);
  return text;
}

// What takes how much of a round; nothing where that is an inference only.
std::string round_table(const Json& round) {
  if (round.empty()) return "";
  double time_us = 0;
  std::optional<double> energy_uj = 0;
  for (const Json& step : round) {
    time_us += step["time_us"].get<double>();
    if (step["energy_uj"].is_null())
      energy_uj.reset();
    else if (energy_uj)
      *energy_uj += step["energy_uj"].get<double>();
  }
  std::vector<std::vector<std::string>> rows = {{"of a round", "time", "energy", "share"}};
  auto add = [&](const std::string& name, double time, const Json& energy) {
    rows.push_back({name, time_text(time), energy.is_null() ? "-" : energy_text(energy),
                    energy.is_null() || !energy_uj || *energy_uj <= 0
                        ? "-"
                        : fmt::format("{:.1f} %", 100 * energy.get<double>() / *energy_uj)});
  };
  for (const Json& step : round) add(step["name"], step["time_us"], step["energy_uj"]);
  add("all", time_us, energy_uj ? Json(*energy_uj) : Json(nullptr));
  return format_table(rows);
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

// Of the rows that are out what each lacks, the nearest misses first.
std::string rejected(const Json& targets, size_t most) {
  const std::vector<Json> out = nearest_misses(targets);
  if (out.empty()) return "";
  std::vector<std::string> kinds;  // in the order in which they come
  for (const Json& part : out)
    for (const Json& lacking : part["shortfalls"])
      if (std::ranges::find(kinds, lacking["of"].get<std::string>()) == kinds.end())
        kinds.push_back(lacking["of"]);
  std::vector<std::vector<std::string>> rows = {{"out", "by"}};
  for (const std::string& kind : kinds) rows[0].push_back(kind);
  for (const Json& part : std::span(out).first(std::min(most, out.size()))) {
    std::vector<std::string> row = {part["name"], part["engine"]};
    row.resize(rows[0].size());
    for (const Json& lacking : part["shortfalls"]) {
      const auto kind = std::ranges::find(kinds, lacking["of"].get<std::string>());
      const std::string &needs = lacking["needs"], &has = lacking["has"];
      row[2 + static_cast<size_t>(kind - kinds.begin())] =
          !needs.empty()                   ? fmt::format("{} > {}", needs, has)
          : lacking["of"] == "accelerator" ? "no layer"
          : lacking["of"] == "core"        ? "other kernels"
          : lacking["of"] == "licence"     ? "other maker's"
                                           : "not known";
    }
    rows.push_back(std::move(row));
  }
  std::string text = fmt::format("\n{} of {} ways are out: {}\n{}", out.size(), targets.size(),
                                 shortfall_counts(out), format_table(rows));
  if (out.size() > most)
    text += fmt::format("  and {} more (--top N shows them)\n", out.size() - most);
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
    rows.push_back({part["name"], part["core"], part["engine"], of_available(part, "flash"),
                    of_available(part, "ram"), range_text(part["latency_us"], time_text),
                    range_text(part["energy_uj"], energy_text)});
    if (average) rows.back().push_back(value_text(part["average_uw"], power_text));
    if (battery) rows.back().push_back(value_text(part["battery_days"], days_text));
  }
  std::string text = in == 0 ? "nothing fits\n" : format_table(rows);
  if (in > most) text += fmt::format("  and {} more (--top N shows them)\n", in - most);
  return text + rejected(targets, most);
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
    for (const Json& part : estimates["targets"]) {
      text += one_part(part) + round_table(part["round"]);
      if (!part["npu"].is_null() && estimates.contains("npu_layers"))
        text += npu_reasons(estimates["npu_layers"]);
    }
    if (estimates.contains("layers") && !estimates["layers"].empty())
      text += layers_table(estimates["layers"]);
  } else {
    text += ranking(estimates, most);
  }
  if (const std::string& note = estimates["note"]; !note.empty())
    text += wrap_text("note: " + note, kTextColumns, 0) + "\n";
  return text + wrap_text(estimates["error"].get<std::string>(), kTextColumns, 0) + "\n";
}

}  // namespace nibble
