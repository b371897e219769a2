// What rows of estimates are out for, in words, from their JSON. Inside pipeline/.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace nibble {

// Rows (of estimates_json) that are out, the nearest misses first: by the largest ratio of what is
// needed to what is there among all that a row lacks; what has no such ratio stands at the end.
std::vector<nlohmann::ordered_json> nearest_misses(const nlohmann::ordered_json& rows);

// "RAM 22, latency 12": how many of the rows lack each, the most frequent first. A row may lack
// several.
std::string shortfall_counts(const std::vector<nlohmann::ordered_json>& rows);

}  // namespace nibble
