// The arena over time, as JSON and as a table.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/report.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kBarChars = 40;

}  // namespace

Json memory_json(const Program& program, const MemoryPlan& plan) {
  // Index 0 is the time before the first call.
  const std::vector<int64_t> live = live_bytes(program, plan);
  Json buffers = Json::array(), calls = Json::array();
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    if (plan.offsets[i] < 0) continue;
    buffers.push_back({{"name", program.buffers[i].name},
                       {"bytes", program.buffers[i].bytes},
                       {"offset", plan.offsets[i]},
                       {"first_call", plan.lifetimes[i].first_call},
                       {"last_call", plan.lifetimes[i].last_call}});
  }
  for (size_t i = 0; i < program.calls.size(); ++i)
    calls.push_back({{"layer", program.calls[i].layer},
                     {"op", program.calls[i].op},
                     {"live_bytes", live[i + 1]}});
  Json peak;
  if (!program.calls.empty()) {
    auto most = std::max_element(live.begin() + 1, live.end() - 1);
    const KernelCall& call = program.calls[static_cast<size_t>(most - live.begin() - 1)];
    peak = {{"call", most - live.begin() - 1},
            {"layer", call.layer},
            {"op", call.op},
            {"live_bytes", *most}};
  }
  return {{"arena_bytes", plan.arena_bytes},
          {"lower_bound_bytes", plan.lower_bound_bytes},
          {"gap_bytes", plan.arena_bytes - plan.lower_bound_bytes},
          {"peak_call", plan.peak_call},
          {"method", plan.method},
          {"peak", peak},
          {"buffers", buffers},
          {"calls", calls}};
}

std::string format_memory(const Json& memory) {
  const auto arena = memory["arena_bytes"].get<int64_t>(), gap = memory["gap_bytes"].get<int64_t>();
  std::string text = fmt::format(
      "  {:<12}{} bytes ({}{})\n", "arena", with_thousands(arena),
      memory["method"].get<std::string>(),
      gap == 0 ? "" : fmt::format("; no plan needs less than {}", with_thousands(arena - gap)));
  if (memory["peak"].is_object())
    text += fmt::format("  {:<12}{} ({}), {} bytes live\n", "peak",
                        memory["peak"]["layer"].get<std::string>(),
                        memory["peak"]["op"].get<std::string>(),
                        with_thousands(memory["peak"]["live_bytes"].get<int64_t>()));
  std::vector<std::vector<std::string>> rows = {{"call", "layer", "op", "live bytes", ""}};
  for (const Json& call : memory["calls"]) {
    auto live = call["live_bytes"].get<int64_t>();
    auto chars = static_cast<size_t>(arena > 0 ? (live * kBarChars + arena - 1) / arena : 0);
    rows.push_back({std::to_string(rows.size() - 1), call["layer"], call["op"],
                    with_thousands(live), std::string(chars, '#')});
  }
  return text + "\n" + format_table(rows);
}

}  // namespace nibble
