// Order and counts of what is out.
#include "pipeline/shortfall_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/text.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

double distance(const Json& row) {
  double largest = 0;
  for (const Json& lacking : row["shortfalls"])
    largest = std::max(largest, lacking["ratio"].is_null() ? std::numeric_limits<double>::infinity()
                                                           : lacking["ratio"].get<double>());
  return largest;
}

}  // namespace

std::vector<Json> nearest_misses(const Json& rows) {
  std::vector<Json> out;
  for (const Json& row : rows)
    if (!row["shortfalls"].empty()) out.push_back(row);
  std::ranges::stable_sort(out, {}, distance);
  return out;
}

std::string shortfall_counts(const std::vector<Json>& rows) {
  std::map<std::string, int> counts;
  for (const Json& row : rows)
    for (const Json& lacking : row["shortfalls"]) ++counts[lacking["of"]];
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::greater<>(), &std::pair<std::string, int>::second);
  std::vector<std::string> words;
  for (const auto& [of, count] : sorted) words.push_back(fmt::format("{} {}", of, count));
  return join(words, ", ");
}

}  // namespace nibble
