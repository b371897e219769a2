// The tables on the terminal, made from the report's JSON alone.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/report.h"

namespace nibble {

using Json = nlohmann::ordered_json;

namespace {

std::string of_available(int64_t used, int64_t available) {
  if (available <= 0) return human_bytes(used);
  return fmt::format("{} of {} ({:.1f} %)", human_bytes(used), human_bytes(available),
                     100.0 * static_cast<double>(used) / static_cast<double>(available));
}

std::string bar(double share) {
  auto length = static_cast<size_t>(std::lround(share * 30));
  std::string text;
  for (size_t i = 0; i < length; ++i) text += "█";
  return text;
}

std::string format_layers(const Json& run) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "kernel", "MACs", "instructions", "per MAC", "share", ""}};
  auto total =
      static_cast<double>(std::max(run["instructions_per_inference"].get<int64_t>(), int64_t{1}));
  for (const Json& layer : run["layers"]) {
    int64_t macs = layer["macs"], instructions = layer["instructions"];
    double share = static_cast<double>(instructions) / total;
    std::string per_mac =
        macs > 0
            ? fmt::format("{:.2f}", static_cast<double>(instructions) / static_cast<double>(macs))
            : "-";
    std::string name = layer["name"];
    if (name.size() > 40) name = name.substr(0, 18) + "..." + name.substr(name.size() - 19);
    rows.push_back({name, layer["kernel"], with_thousands(macs), with_thousands(instructions),
                    per_mac, fmt::format("{:.1f} %", 100 * share), bar(share)});
  }
  return format_table(rows);
}

void append(std::string& text, std::string_view label, const std::string& value) {
  text += fmt::format("  {:<26}{}\n", label, value);
}

std::string format_costs(const Json& run, const Json& target) {
  std::string text;
  int64_t instructions = run["instructions_per_inference"], macs = run["macs"];
  append(text, "instructions",
         with_thousands(instructions) +
             (macs > 0 ? fmt::format("  ({:.2f} per MAC, {} MACs)",
                                     static_cast<double>(instructions) / static_cast<double>(macs),
                                     with_thousands(macs))
                       : ""));
  const Json& flash = run["flash_bytes"];
  const Json& ram = run["ram_bytes"];
  int64_t flash_available = target.is_object() ? target["flash_bytes"].get<int64_t>() : 0;
  int64_t ram_available = target.is_object() ? target["ram_bytes"].get<int64_t>() : 0;
  append(text, "flash", of_available(flash["total"], flash_available));
  append(text, "  code", human_bytes(flash["code"]));
  append(text, "  weights and tables", human_bytes(flash["weights"]));
  append(text, "  (start-up, harness)", human_bytes(flash["startup"]) + ", not counted");
  append(text, "RAM", of_available(ram["total"], ram_available));
  append(text, "  arena", human_bytes(ram["arena"]));
  append(text, "  stack", human_bytes(ram["stack"]));
  append(text, "  other static", human_bytes(ram["static"]));
  return text;
}

std::string on_the_core(const Json& run) {
  std::string core = run["core"], machine = run["machine"];
  return fmt::format("{} ({}, emulated)", core, machine);
}

// "error 0.0123 → 0.00456; 1 of 9 kept what they had"
std::string learned_text(const Json& method) {
  const auto blocks = static_cast<int64_t>(method["blocks"].size());
  const int64_t kept = method["kept"];
  std::string text = fmt::format("error {:.3g} → {:.3g}", method["before"].get<double>(),
                                 method["after"].get<double>());
  if (kept == 0) return text;
  if (blocks == 1) return text + "; nothing was gained, and what there was is kept";
  return text + fmt::format("; {} of {} layers or blocks gained nothing and keep what they had",
                            kept, blocks);
}

std::string equality(const Json& run) {
  return run["matches_host"].get<bool>()
             ? "equal to the host's, byte for byte"
             : "DIFFER from the host's, first at " + format_difference(run["first_difference"]);
}

}  // namespace

std::string format_score(const Json& score) {
  int64_t samples = score["samples"];
  if (score["value"].is_null()) {
    std::string why = score.value("not_scored", std::string());
    return fmt::format("not scored ({} samples computed{})", samples,
                       why.empty() ? "" : "; " + why);
  }
  auto number = score["value"].get<double>();
  if (score["metric"] == "accuracy")
    return fmt::format("{:.2f} %  ({} of {})", 100 * number,
                       std::llround(number * static_cast<double>(samples)), samples);
  return fmt::format("{:.4g}  ({}, {} samples)", number, score["metric"].get<std::string>(),
                     samples);
}

std::string format_difference(const Json& difference) {
  std::string text = fmt::format("sample {}, output '{}'; ", difference["sample"].get<int64_t>(),
                                 difference["output"].get<std::string>());
  if (difference["layer"].is_null()) return text + difference["why"].get<std::string>();
  text += fmt::format("the first layer of it that differs is '{}' ({}, {}), in {} of {} bytes",
                      difference["layer"].get<std::string>(), difference["op"].get<std::string>(),
                      difference["kernel"].get<std::string>(),
                      with_thousands(difference["differing_bytes"].get<int64_t>()),
                      with_thousands(difference["bytes"].get<int64_t>()));
  if (!difference.contains("not_compared")) return text;
  std::vector<std::string> names;
  for (const Json& name : difference["not_compared"])
    names.push_back("'" + name.get<std::string>() + "'");
  return text + "; not compared before it: " + join(names, ", ");
}

std::string format_run(const Json& run) {
  std::string text = fmt::format("{} on {}\n", run["target"].get<std::string>(), on_the_core(run));
  append(text, "result", format_score(run));
  append(text, "outputs", equality(run));
  return text + format_costs(run, Json()) + "\n" + format_layers(run);
}

std::string format_report(const Json& report) {
  std::string text = report["model"].get<std::string>() + "\n";
  for (const Json& score : report["scores"])
    append(text, score["arithmetic"].get<std::string>(), format_score(score));
  if (report.contains("quantize"))
    append(text, "calibrated with",
           fmt::format("{}, {} samples", report["quantize"]["calibrator"].get<std::string>(),
                       report["quantize"]["samples"].get<int64_t>()));
  if (report.contains("quantize"))
    for (const Json& method : report["quantize"]["learned"])
      append(text, method["method"].get<std::string>(), learned_text(method));
  if (!report.contains("run")) return text;
  const Json& run = report["run"];
  append(text, "target", fmt::format("{}, {}", run["target"].get<std::string>(), on_the_core(run)));
  append(text, "outputs on the core", equality(run));
  text += format_costs(run, report["target"]);
  if (report.contains("plan")) {
    int64_t arena = report["plan"]["arena_bytes"], bound = report["plan"]["lower_bound_bytes"];
    append(text, "  arena's lower bound",
           human_bytes(bound) + (arena == bound ? "  (reached)" : ""));
  }
  text += "\n" + format_layers(run);
  if (report.contains("explain")) text += "\n" + format_explanation(report["explain"]);
  if (report.contains("stability")) text += format_stability(report["stability"]);
  return text;
}

std::string format_learned(const Json& quantize) {
  constexpr size_t kNamed = 3;
  std::string text;
  for (const Json& method : quantize["learned"]) {
    text += method["method"].get<std::string>() + ": " + learned_text(method);
    std::vector<std::string> names;
    for (const Json& block : method["blocks"])
      if (block["kept"].get<bool>()) names.push_back("'" + block["nodes"].get<std::string>() + "'");
    const size_t rest = names.size() - std::min(names.size(), kNamed);
    names.resize(names.size() - rest);
    if (!names.empty() && method["blocks"].size() > 1) text += ": " + join(names, ", ");
    if (rest > 0) text += fmt::format(" and {} more", rest);
    text += "\n";
  }
  return text;
}

std::string format_seconds(const Json& quantize) {
  std::vector<std::string> parts;
  if (quantize.contains("seconds"))
    for (const auto& [name, seconds] : quantize["seconds"].items())
      parts.push_back(fmt::format("{} {:.1f} s", name, seconds.get<double>()));
  return join(parts, ", ");
}

std::string format_layer_errors(const std::vector<LayerError>& layers) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "op", "SQNR dB", "alone dB", "max error", "clipped"}};
  auto decibel = [](double value) {
    return std::isfinite(value) ? fmt::format("{:.1f}", value) : std::string("exact");
  };
  for (const LayerError& layer : layers)
    rows.push_back({layer.node, layer.op, decibel(layer.sqnr_db), decibel(layer.local_sqnr_db),
                    fmt::format("{:.3g}", layer.max_abs_error),
                    fmt::format("{:.2f} %", 100 * layer.clipped_share)});
  return format_table(rows);
}

}  // namespace nibble
