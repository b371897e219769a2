// A plan as text, for --stop-after plan: a line per buffer in the order of offsets, a bar over the
// calls, and below it the bytes that are live at each call.
#include <algorithm>

#include "base/text.h"
#include "plan/lifetimes.h"

namespace nibble {
namespace {

constexpr int kMaxColumns = 96;
constexpr size_t kMaxNameChars = 40;

// Times -1 to calls.size() in columns; several times share one where there are too many.
struct Columns {
  int times = 0;
  int per_column = 1;
  explicit Columns(int count) : times(count), per_column((count + kMaxColumns - 1) / kMaxColumns) {}
  int count() const { return (times + per_column - 1) / per_column; }
  int of(int time) const { return (time + 1) / per_column; }
};

std::string shorten(const std::string& name) {
  if (name.size() <= kMaxNameChars) return name;
  return name.substr(0, 12) + ".." + name.substr(name.size() - (kMaxNameChars - 14));
}

std::string bar_of(const Lifetime& life, const Columns& columns) {
  std::string bar(static_cast<size_t>(columns.count()), '.');
  for (int t = life.first_call; t <= life.last_call; ++t)
    bar[static_cast<size_t>(columns.of(t))] = '#';
  return bar;
}

// '1' to '9' for tenths of the arena that are live, '^' where most are.
std::string fill_of(const std::vector<int64_t>& live, const MemoryPlan& plan,
                    const Columns& columns) {
  std::vector<int64_t> most(static_cast<size_t>(columns.count()), 0);
  for (size_t t = 0; t < live.size(); ++t) {
    int64_t& cell = most[static_cast<size_t>(columns.of(static_cast<int>(t) - 1))];
    cell = std::max(cell, live[t]);
  }
  int64_t peak = *std::max_element(most.begin(), most.end());
  std::string text;
  for (int64_t bytes : most) {
    int64_t tenth = plan.arena_bytes > 0 ? bytes * 10 / plan.arena_bytes : 0;
    text +=
        bytes == peak && peak > 0 ? '^' : static_cast<char>('0' + std::clamp<int64_t>(tenth, 0, 9));
  }
  return text;
}

std::string when(const Program& program, const MemoryPlan& plan) {
  const Peak peak = find_peak(program, plan);
  if (peak.last_call < 0) return "the inputs, before the first call";
  if (static_cast<size_t>(peak.first_call) >= program.calls.size())
    return "the outputs, after the last call";
  auto name = [&](int call) {
    const KernelCall& what = program.calls[static_cast<size_t>(call)];
    return fmt::format("(layer \"{}\", {})", shorten(what.layer), what.op);
  };
  if (peak.first_call == peak.last_call)
    return fmt::format("call {} {}", peak.first_call, name(peak.first_call));
  const std::vector<int64_t> live = live_bytes(program, plan);
  const int64_t most =
      *std::max_element(live.begin() + peak.first_call + 1, live.begin() + peak.last_call + 2);
  return fmt::format(
      "calls {} {} to {} {} together: their places follow from each other, {} bytes are live at "
      "most",
      peak.first_call, name(peak.first_call), peak.last_call, name(peak.last_call),
      with_thousands(most));
}

std::string summary(const Program& program, const MemoryPlan& plan) {
  int64_t gap = plan.arena_bytes - plan.lower_bound_bytes;
  std::string gap_text =
      gap == 0 ? "no gap"
               : fmt::format("gap {} bytes, {:.1f} %", with_thousands(gap),
                             100.0 * static_cast<double>(gap) /
                                 static_cast<double>(std::max<int64_t>(1, plan.lower_bound_bytes)));
  return fmt::format(
      "memory plan of {}: {} buffers, {} calls\n"
      "arena        {:>12} bytes  ({})\n"
      "lower bound  {:>12} bytes  ({})\n"
      "set by       {}\n",
      program.name, program.buffers.size(), program.calls.size(), with_thousands(plan.arena_bytes),
      plan.method, with_thousands(plan.lower_bound_bytes), gap_text, when(program, plan));
}

}  // namespace

std::string draw_plan(const Program& program, const MemoryPlan& plan) {
  NIBBLE_CHECK(plan.offsets.size() == program.buffers.size());
  // A plan from a file brings offsets only; the picture needs the program's own lifetimes.
  std::vector<Lifetime> lifetimes = find_lifetimes(program);
  Columns columns(static_cast<int>(program.calls.size()) + 2);
  std::vector<size_t> order;
  size_t name_width = 6;
  for (size_t i = 0; i < program.buffers.size(); ++i) {
    if (!takes_bytes(program.buffers[i], lifetimes[i])) continue;
    order.push_back(i);
    name_width = std::max(name_width, shorten(program.buffers[i].name).size());
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (plan.offsets[a] != plan.offsets[b]) return plan.offsets[a] < plan.offsets[b];
    if (lifetimes[a].first_call != lifetimes[b].first_call)
      return lifetimes[a].first_call < lifetimes[b].first_call;
    return a < b;
  });
  std::string text = summary(program, plan);
  text += fmt::format(
      "\n{:>10} {:>10}  {:<{}}  calls, the first column before and the last after them{}\n",
      "offset", "bytes", "buffer", name_width,
      columns.per_column == 1 ? std::string()
                              : fmt::format("; a column is {} calls", columns.per_column));
  for (size_t i : order)
    text += fmt::format("{:>10} {:>10}  {:<{}}  {}\n", with_thousands(plan.offsets[i]),
                        with_thousands(program.buffers[i].bytes), shorten(program.buffers[i].name),
                        name_width, bar_of(lifetimes[i], columns));
  std::vector<int64_t> live = live_bytes(program, plan);
  text += fmt::format("{:>10} {:>10}  {:<{}}  {}\n", "", "", "live", name_width,
                      fill_of(live, plan, columns));
  text += fmt::format("{:>10} {:>10}  {:<{}}  tenths of the arena; ^ is the most\n", "", "", "",
                      name_width);
  return text;
}

}  // namespace nibble
