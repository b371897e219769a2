// Which part, in words: from the application over the quantization and the toolchain to the part,
// the order in which "Neural Network Quantization for Microcontrollers" (arXiv 2508.15008) lays the
// decision out. Figures are those of estimate.h; nothing is said that they do not hold.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "pipeline/estimate.h"

namespace nibble {

// What a kind of application asks for first, and what others have deployed for it (the survey's
// tables of deployments).
struct Application {
  std::string_view name;  // "speech"
  std::string_view what;  // "keyword spotting, wake words, speech commands"
  EstimateBy first;
  std::string_view why_first;
  std::string_view quantization;
  std::string_view deployed;
};
std::span<const Application> all_applications();
// Null: no such application.
const Application* find_application(std::string_view name);

struct Choice {
  std::string role;  // "least energy"
  size_t part = 0;   // of Estimates::parts
  // What makes its program and what that needs beneath it: "nibble writes C, ... compiles it".
  std::string toolchain;
  std::vector<std::string> because, how;
};

struct Recommendation {
  const Application* application = nullptr;  // null: none was named
  std::string first;                         // what comes first, and why
  std::string quantization;                  // which widths, and why
  std::vector<Choice> choices;  // the first is the recommendation; empty: nothing is left
  std::string advice;           // where nothing is left: what would help
};
// `estimates` are those of the catalogue, with the user's limits, in any order. `target_dirs`:
// folders of the user's own targets, which the commands of what comes next must name, too.
Recommendation recommend(const Estimates& estimates, const std::string& model_path,
                         const Application* application,
                         std::span<const std::string> target_dirs = {});

nlohmann::ordered_json recommendation_json(const Estimates& estimates,
                                           const Recommendation& recommendation);
// From the JSON alone.
std::string format_recommendation(const nlohmann::ordered_json& recommendation);

}  // namespace nibble
