// The arena over time, as JSON and as a table.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/report.h"

namespace nibble {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kBarChars = 40;

// What the bands of a group are predicted to cost more than its layers at once.
int64_t extra_cycles(const KernelCall& group) {
  int64_t cycles = group.cycles;
  for (const KernelCall& member : group.members) cycles -= member.cycles;
  return cycles;
}

// "conv2d", or "3 layers in 16 bands".
std::string op_text(const Json& call) {
  if (!call.contains("bands")) return call["op"].get<std::string>();
  return fmt::format("{} layers in {} bands", call["layers"].size(), call["bands"].get<int64_t>());
}

std::string format_peak(const Json& peak, const Json& calls) {
  const auto first = peak["first_call"].get<int64_t>(), last = peak["last_call"].get<int64_t>();
  const std::string live = with_thousands(peak["live_bytes"].get<int64_t>());
  if (first < last) {
    auto layer = [&](int64_t call) {
      return calls[static_cast<size_t>(call)]["layer"].get<std::string>();
    };
    return fmt::format(
        "  {:<12}calls {} ({}) to {} ({}): their places follow from each other; {} bytes live at "
        "most\n",
        "peak", first, layer(first), last, layer(last), live);
  }
  if (last < 0 || first >= static_cast<int64_t>(calls.size()))
    return fmt::format("  {:<12}the {} of the model\n", "peak", last < 0 ? "inputs" : "outputs");
  return fmt::format("  {:<12}{} ({}), {} bytes live\n", "peak", peak["layer"].get<std::string>(),
                     peak["op"].get<std::string>(), live);
}

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
  int64_t cycles = 0, band_cycles = 0;
  for (size_t i = 0; i < program.calls.size(); ++i) {
    const KernelCall& call = program.calls[i];
    Json& entry = calls.emplace_back(
        Json{{"layer", call.layer}, {"op", call.op}, {"live_bytes", live[i + 1]}});
    cycles += call.cycles;
    if (call.members.empty()) continue;
    Json members = Json::array();
    for (const KernelCall& member : call.members) members.push_back(member.layer);
    const int64_t extra = extra_cycles(call);
    band_cycles += extra;
    entry["layers"] = members;
    entry["bands"] = call.bands.size();
    entry["extra_cycles"] = extra;
  }
  const int64_t whole_cycles = cycles - band_cycles;
  const double share =
      whole_cycles > 0 ? static_cast<double>(band_cycles) / static_cast<double>(whole_cycles) : 0;
  Json peak;
  if (!program.calls.empty()) {
    const Peak found = find_peak(program, plan);
    const int last = static_cast<int>(program.calls.size()) - 1;
    const int first = std::clamp(found.first_call, 0, last);
    // Of those calls the one at which most is live.
    const auto begin = live.begin() + first + 1;
    const auto most =
        std::max_element(begin, live.begin() + std::clamp(found.last_call, 0, last) + 2);
    const auto index = static_cast<size_t>(first + (most - begin));
    const KernelCall& call = program.calls[index];
    peak = {{"call", index},
            {"layer", call.layer},
            {"op", call.op},
            {"live_bytes", *most},
            {"first_call", found.first_call},
            {"last_call", found.last_call},
            {"needed_bytes", found.bytes}};
  }
  return {{"arena_bytes", plan.arena_bytes},
          {"lower_bound_bytes", plan.lower_bound_bytes},
          {"gap_bytes", plan.arena_bytes - plan.lower_bound_bytes},
          {"method", plan.method},
          {"peak", peak},
          {"bands_extra_share", share},
          {"buffers", buffers},
          {"calls", calls}};
}

std::string format_memory(const Json& memory) {
  const auto arena = memory["arena_bytes"].get<int64_t>(), gap = memory["gap_bytes"].get<int64_t>();
  std::string text = fmt::format(
      "  {:<12}{} bytes ({}{})\n", "arena", with_thousands(arena),
      memory["method"].get<std::string>(),
      gap == 0 ? "" : fmt::format("; no plan needs less than {}", with_thousands(arena - gap)));
  if (memory["peak"].is_object()) text += format_peak(memory["peak"], memory["calls"]);
  if (const double share = memory["bands_extra_share"].get<double>(); share > 0)
    text += fmt::format("  {:<12}layers in bands, for a predicted {:.1f} % more time\n", "bands",
                        100 * share);
  std::vector<std::vector<std::string>> rows = {{"call", "layer", "op", "live bytes", ""}};
  for (const Json& call : memory["calls"]) {
    auto live = call["live_bytes"].get<int64_t>();
    auto chars = static_cast<size_t>(arena > 0 ? (live * kBarChars + arena - 1) / arena : 0);
    rows.push_back({std::to_string(rows.size() - 1), call["layer"], op_text(call),
                    with_thousands(live), std::string(chars, '#')});
  }
  return text + "\n" + format_table(rows);
}

}  // namespace nibble
