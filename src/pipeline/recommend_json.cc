// A recommendation as JSON, and in words from that.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "pipeline/recommend.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Json choice_json(const Choice& choice, const Json& estimates) {
  Json json = {{"role", choice.role}, {"because", choice.because}, {"how", choice.how}};
  json["estimate"] = estimates["targets"][choice.part];
  return json;
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
      json["out"].push_back(
          {{"name", part["name"]}, {"engine", part["engine"]}, {"why_not", part["why_not"]}});
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
  text += fmt::format("What counts   {}\nQuantization  {}\n", json["first"].get<std::string>(),
                      json["quantization"].get<std::string>());
  const size_t considered = json["considered"], out = json["out"].size();
  text += fmt::format("Parts         {} ways to run it in the catalogue, {} of them out\n", considered,
                      out);
  int number = 0;
  for (const Json& choice : json["choices"]) {
    const Json& part = choice["estimate"];
    text += fmt::format("\n{}. {} by {}: {}\n   {}, {}\n", ++number, part["name"].get<std::string>(),
                        part["engine"].get<std::string>(), choice["role"].get<std::string>(),
                        part["title"].get<std::string>(), part["core"].get<std::string>());
    for (const Json& why : choice["because"]) text += fmt::format("   - {}\n", why.get<std::string>());
    for (const Json& step : choice["how"]) text += fmt::format("   > {}\n", step.get<std::string>());
  }
  if (number == 0)
    text += fmt::format("\nNothing is left: {}\n", json["advice"].get<std::string>());
  else
    text += "\n";
  if (const std::string& note = json["note"]; !note.empty()) text += "note: " + note + "\n";
  return text + json["error"].get<std::string>() + "\n";
}

}  // namespace nibble
