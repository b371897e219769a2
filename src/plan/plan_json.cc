// A plan as JSON and back, exactly: what --stop-after plan writes and a later run resumes from.
#include <limits>
#include <nlohmann/json.hpp>

#include "plan/plan.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

Error wrong(const std::string& what) {
  return input_error(fmt::format(
      "memory plan: {}; write it again with `nibble deploy ... --stop-after plan`", what));
}

Result<int64_t> integer_at(const Json& object, const std::string& key, const std::string& where,
                           int64_t low, int64_t high) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer())
    return wrong(fmt::format("{} has no integer \"{}\"", where, key));
  bool huge = found->is_number_unsigned() &&
              found->get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()};
  if (huge || found->get<int64_t>() < low || found->get<int64_t>() > high)
    return wrong(fmt::format("\"{}\" of {} is not in {} to {}", key, where, low, high));
  return found->get<int64_t>();
}

Result<std::string> text_at(const Json& object, const std::string& key, const std::string& where) {
  auto found = object.find(key);
  if (found == object.end() || !found->is_string())
    return wrong(fmt::format("{} has no text \"{}\"", where, key));
  return found->get<std::string>();
}

constexpr int64_t kMaxBytes = int64_t{1} << 40;
constexpr int64_t kMaxCall = std::numeric_limits<int32_t>::max();

Status parse_buffer(const Json& entry, const std::string& where, MemoryPlan& plan) {
  if (!entry.is_object()) return wrong(where + " is not an object");
  NIBBLE_ASSIGN(int64_t offset, integer_at(entry, "offset", where, -1, kMaxBytes));
  NIBBLE_ASSIGN(int64_t first, integer_at(entry, "first_call", where, -1, kMaxCall));
  NIBBLE_ASSIGN(int64_t last, integer_at(entry, "last_call", where, -1, kMaxCall));
  plan.offsets.push_back(offset);
  plan.lifetimes.push_back({static_cast<int>(first), static_cast<int>(last)});
  return {};
}

}  // namespace

std::string print_plan(const Program& program, const MemoryPlan& plan) {
  NIBBLE_CHECK(plan.offsets.size() == program.buffers.size() &&
               plan.lifetimes.size() == program.buffers.size());
  Json json;
  json["program"] = program.name;
  json["arena_bytes"] = plan.arena_bytes;
  json["lower_bound_bytes"] = plan.lower_bound_bytes;
  const Peak peak = find_peak(program, plan);
  json["peak_first_call"] = peak.first_call;
  json["peak_last_call"] = peak.last_call;
  json["method"] = plan.method;
  json["buffers"] = Json::array();
  for (size_t i = 0; i < plan.offsets.size(); ++i)
    json["buffers"].push_back({{"name", program.buffers[i].name},
                               {"bytes", program.buffers[i].bytes},
                               {"offset", plan.offsets[i]},
                               {"first_call", plan.lifetimes[i].first_call},
                               {"last_call", plan.lifetimes[i].last_call}});
  // Names come from model files and may be no valid UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<MemoryPlan> parse_plan(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) return wrong("the text is not a JSON object");
  MemoryPlan plan;
  NIBBLE_ASSIGN(plan.arena_bytes, integer_at(json, "arena_bytes", "the plan", 0, kMaxBytes));
  NIBBLE_ASSIGN(plan.lower_bound_bytes,
                integer_at(json, "lower_bound_bytes", "the plan", 0, kMaxBytes));
  NIBBLE_ASSIGN(plan.method, text_at(json, "method", "the plan"));
  auto buffers = json.find("buffers");
  if (buffers == json.end() || !buffers->is_array())
    return wrong("the plan has no list \"buffers\"");
  for (size_t i = 0; i < buffers->size(); ++i)
    NIBBLE_TRY(parse_buffer((*buffers)[i], fmt::format("buffers[{}]", i), plan));
  return plan;
}

}  // namespace nibble
