// nibble recommend MODEL [limits]: which part, and why, in words.

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/estimate_arguments.h"

namespace nibble {
namespace {

struct Arguments {
  EstimateArguments shared;
  std::string application;
};

std::vector<std::string> application_names() {
  std::vector<std::string> names;
  for (const Application& application : all_applications()) names.emplace_back(application.name);
  return names;
}

Status recommend_part(const CommandLine& line, const Arguments& arguments) {
  NIBBLE_ASSIGN(EstimateQuery query, arguments.shared.query());
  NIBBLE_ASSIGN(const EstimatedModel model, arguments.shared.read_model());
  NIBBLE_ASSIGN(const Estimates estimates, estimate_parts(model, std::move(query)));
  const Recommendation recommendation = recommend(
      estimates, arguments.shared.model, find_application(arguments.application), line.target_dirs);
  const nlohmann::ordered_json json = recommendation_json(estimates, recommendation);
  if (line.json)
    print_json(json);
  else
    fmt::print("{}", format_recommendation(json));
  if (!recommendation.choices.empty()) return {};
  return does_not_fit(fmt::format("'{}': no part is left", arguments.shared.model));
}

}  // namespace

void add_recommend(CLI::App& app, CommandLine& line) {
  CLI::App* verb = add_verb(app, line, "recommend", "which part for this model, and why");
  auto arguments = std::make_shared<Arguments>();
  add_estimate_options(*verb, arguments->shared);
  std::vector<std::string> applications;
  for (const Application& application : all_applications())
    applications.push_back(fmt::format("{} ({})", application.name, application.what));
  verb->add_option("--application", arguments->application,
                   "what it is for: " + join(applications, ", "))
      ->type_name("WHAT")
      ->check(CLI::IsMember(application_names()));
  verb->callback([&line, arguments] {
    line.action = [&line, arguments] { return recommend_part(line, *arguments); };
  });
}

}  // namespace nibble
