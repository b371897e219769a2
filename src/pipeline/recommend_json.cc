// A recommendation as JSON, and in words from that.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "base/text.h"
#include "pipeline/figure_text.h"
#include "pipeline/recommend.h"
#include "pipeline/shortfall_text.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json choice_json(const Choice& choice, const Json& estimates) {
  Json json = {{"role", choice.role},
               {"toolchain", choice.toolchain},
               {"because", choice.because},
               {"how", choice.how}};
  json["estimate"] = estimates["targets"][choice.part];
  return json;
}

// How many are out for what, and those that miss least by name.
std::string left_out(const Json& out) {
  constexpr size_t kNamed = 5;
  const std::vector<Json> misses = nearest_misses(out);
  if (misses.empty()) return "";
  std::string text = fmt::format("Left out      {}: {}\n", misses.size(), shortfall_counts(misses));
  text += fmt::format("Nearest miss{}\n", misses.size() > 1 ? "es" : "");
  for (const Json& part : std::span(misses).first(std::min(kNamed, misses.size())))
    text += fmt::format("   {} by {}: {}\n", part["name"].get<std::string>(),
                        part["engine"].get<std::string>(), part["why_not"].get<std::string>());
  if (misses.size() > kNamed)
    text += fmt::format("   and {} more (--json lists all; `nibble estimate --all` as a table)\n",
                        misses.size() - kNamed);
  return text;
}

}  // namespace

Json recommendation_json(const Estimates& estimates, const Recommendation& recommendation) {
  const Json all = estimates_json(estimates);
  Json json = {{"model", estimates.model},
               {"note", estimates.note},
               {"conditions", all["conditions"]},
               {"application", nullptr},
               {"first", recommendation.first},
               {"quantization", recommendation.quantization},
               {"choices", Json::array()},
               {"advice", recommendation.advice},
               {"considered", all["targets"].size()},
               {"out", Json::array()},
               {"error", all["error"]}};
  if (const Application* application = recommendation.application)
    json["application"] = {{"name", application->name},
                           {"what", application->what},
                           {"deployed", application->deployed}};
  for (const Choice& choice : recommendation.choices)
    json["choices"].push_back(choice_json(choice, all));
  for (const Json& part : all["targets"])
    if (!part["fits"].get<bool>())
      json["out"].push_back({{"name", part["name"]},
                             {"engine", part["engine"]},
                             {"why_not", part["why_not"]},
                             {"shortfalls", part["shortfalls"]}});
  return json;
}

std::string format_recommendation(const Json& json) {
  std::string text;
  if (const std::string& conditions = json["conditions"]; !conditions.empty())
    text += conditions + "\n";
  if (!json["application"].is_null())
    text += fmt::format("Application   {}: {}\n              others deployed {}\n",
                        json["application"]["name"].get<std::string>(),
                        json["application"]["what"].get<std::string>(),
                        json["application"]["deployed"].get<std::string>());
  constexpr size_t kLabel = 14;
  text += fmt::format("What counts   {}\nQuantization  {}\n",
                      wrap_text(json["first"].get<std::string>(), kTextColumns, kLabel),
                      wrap_text(json["quantization"].get<std::string>(), kTextColumns, kLabel));
  text += fmt::format("Parts         {} ways to run it, {} of them out\n",
                      json["considered"].get<size_t>(), json["out"].size());
  int number = 0;
  for (const Json& choice : json["choices"]) {
    const Json& part = choice["estimate"];
    text +=
        fmt::format("\n{}. {} by {}: {}\n   {}, {}\n", ++number, part["name"].get<std::string>(),
                    part["engine"].get<std::string>(), choice["role"].get<std::string>(),
                    part["title"].get<std::string>(), part["core"].get<std::string>());
    text += fmt::format("   toolchain: {}\n",
                        wrap_text(choice["toolchain"].get<std::string>(), kTextColumns, 14));
    for (const Json& why : choice["because"])
      text += fmt::format("   - {}\n", wrap_text(why.get<std::string>(), kTextColumns, 5));
    for (const Json& step : choice["how"])
      text += fmt::format("   > {}\n", step.get<std::string>());
  }
  if (number == 0)
    text += fmt::format("\nNothing is left: {}\n", json["advice"].get<std::string>());
  else
    text += "\n";
  text += left_out(json["out"]);
  if (const std::string& note = json["note"]; !note.empty())
    text += wrap_text("note: " + note, kTextColumns, 0) + "\n";
  return text + wrap_text(json["error"].get<std::string>(), kTextColumns, 0) + "\n";
}

}  // namespace nibble
