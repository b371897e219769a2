// The two tables of the peer on the board of MLPerf Tiny.
#include "peer_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "cost/catalogue.h"
#include "cost/cost.h"
#include "lower/lower.h"
#include "plan/plan.h"

namespace nibble {
namespace {

using Table = std::vector<std::vector<std::string>>;

constexpr const char* kTunedKernels = "cmsis";
// The one whose times stand beside published ones: what the macros of the others switch on is off
// unless asked for.
constexpr const char* kUsualFlags = "O3";

double kilohertz(const Target& target) { return static_cast<double>(target.clock_hz) / 1e3; }

std::string range(const LowHigh& of, double unit, int digits) {
  return fmt::format("{:.{}f}-{:.{}f}", of.low / unit, digits, of.high / unit, digits);
}

// A build on the board, in cycles.
struct Prediction {
  LowHigh core, waits;
  LowHigh total() const { return {core.low + waits.low, core.high + waits.high}; }
};

Result<LowHigh> core_cycles(const PeerBuild& build, const Target& target) {
  const Result<MixBounds> mix = bound_mix(build.mnemonics, build.instructions);
  if (!mix.ok())
    return input_error(fmt::format("{} on {}, {}, {}: {}", build.model, build.core, build.kernels,
                                   build.flags, mix.error().message));
  const std::optional<LowHigh> cycles = bound_cycles(*mix, target);
  if (!cycles) return input_error(target.core + ": no row in src/cost/timing.cc");
  return *cycles;
}

Result<Prediction> predict(const PeerBuild& build, const PeerModel& model, const Target& target) {
  NIBBLE_ASSIGN(const LowHigh core, core_cycles(build, target));
  const LowHigh reads = peer_reads(model.program, target, build.kernels);
  return Prediction{core, {exposed_waits(target, reads.low), exposed_waits(target, reads.high)}};
}

const PeerBuild* find_build(const PeerRecord& record, const std::string& core,
                            const std::string& kernels, const std::string& flags,
                            const std::string& model) {
  const auto found = std::ranges::find_if(record.builds, [&](const PeerBuild& build) {
    return build.core == core && build.kernels == kernels && build.flags == flags &&
           build.model == model && !build.mnemonics.empty();
  });
  return found == record.builds.end() ? nullptr : &*found;
}

// Kernels and flags of builds with mnemonics, in the order of the record.
std::vector<std::pair<std::string, std::string>> variants(const PeerRecord& record,
                                                          const std::string& core) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const PeerBuild& build : record.builds) {
    const std::pair<std::string, std::string> variant = {build.kernels, build.flags};
    if (build.core == core && !build.mnemonics.empty() &&
        std::ranges::find(list, variant) == list.end())
      list.push_back(variant);
  }
  return list;
}

int64_t named(const PeerBuild& build) {
  int64_t sum = 0;
  for (const auto& [mnemonic, count] : build.mnemonics) sum += count;
  return sum;
}

Result<Table> builds_table(const Peer& peer, const Target& target) {
  Table table = {{"build", "model", "M instructions", "unnamed", "M cycles", "of them waits",
                  "per instruction", "ms"}};
  for (const auto& [kernels, flags] : variants(peer.record, target.core))
    for (const PeerModel& model : peer.models) {
      const PeerBuild* build = find_build(peer.record, target.core, kernels, flags, model.name);
      if (!build) continue;
      NIBBLE_ASSIGN(const Prediction cycles, predict(*build, model, target));
      const auto instructions = static_cast<double>(build->instructions);
      table.push_back(
          {kernels + ", " + flags, model.name, fmt::format("{:.2f}", instructions / 1e6),
           fmt::format("{:.1f} %", 100 - 100 * static_cast<double>(named(*build)) / instructions),
           range(cycles.total(), 1e6, 2), range(cycles.waits, 1e6, 2),
           range(cycles.core, instructions, 2), range(cycles.total(), kilohertz(target), 1)});
    }
  return table;
}

double ruled_cycles(const NetworkTotals& totals) {
  double sum = 0;
  for (const double cycles : work(totals, CostProfile::kCmsis, CostIsa::kDsp)) sum += cycles;
  return sum;
}

// An engine that leaves constant channels out has less to do, by the share of ruled cycles.
void add_published(const std::string& engine, double ms, const PeerModel& model,
                   const Prediction& cycles, const Target& target, Table& table) {
  const double all = ruled_cycles(model.network.all);
  const double share = find_stack(engine)->drops_dead ? ruled_cycles(model.network.live) / all : 1;
  const double unit = kilohertz(target) / share;
  const LowHigh total = cycles.total();
  const double ruled = (all + cycles.waits.low) / unit;
  table.push_back({engine, share < 1 ? model.name + ", live" : model.name,
                   fmt::format("{:.1f}", ms), range(total, unit, 1),
                   fmt::format("{:.2f}-{:.2f}", ms * unit / total.high, ms * unit / total.low),
                   fmt::format("{:.1f}", ruled), fmt::format("{:.2f}", ms / ruled)});
}

Result<Table> published_table(const Peer& peer, const EngineTimes& times, const Target& target) {
  Table table = {{"engine", "model", "ms published", "ms by mnemonics", "published / that",
                  "ms ruled", "published / that"}};
  for (const auto& [engine, of] : times) {
    const std::optional<CostStack> stack = find_stack(engine);
    if (!stack || !stack->family.starts_with("CMSIS-NN")) continue;
    for (const PeerModel& model : peer.models) {
      const PeerBuild* build =
          find_build(peer.record, target.core, kTunedKernels, kUsualFlags, model.name);
      if (!build || !of.contains(model.name)) continue;
      NIBBLE_ASSIGN(const Prediction cycles, predict(*build, model, target));
      add_published(engine, of.at(model.name), model, cycles, target, table);
    }
  }
  return table;
}

Result<Program> whole_program(const std::filesystem::path& path, const Target& target) {
  NIBBLE_ASSIGN(Graph graph, read_model(path));
  SimplifyOptions options;
  options.clean_up = false;
  NIBBLE_TRY(simplify(graph, options));
  return lower(graph, lower_options(target));
}

}  // namespace

Result<EngineTimes> published_times(const std::filesystem::path& shared) {
  NIBBLE_ASSIGN(const std::string text, read_text_file(shared / kMlperfFile));
  NIBBLE_ASSIGN(const std::vector<CostRow> rows, read_mlperf(text));
  EngineTimes times;
  for (const CostRow& row : rows) {
    if (row.board != kMlperfBoard || row.use != RowUse::kFit) continue;
    double& best = times[row.stack][row.model];
    best = best == 0 ? row.latency_ms : std::min(best, row.latency_ms);
  }
  return times;
}

Result<Peer> read_peer(const std::filesystem::path& shared) {
  Peer peer;
  NIBBLE_ASSIGN(peer.record, read_peer_record(shared));
  NIBBLE_ASSIGN(const Target target, find_target(kMlperfBoard));
  for (const auto& [name, file] : cost_network_files()) {
    if (std::ranges::find(peer.record.builds, name, &PeerBuild::model) == peer.record.builds.end())
      continue;
    const std::filesystem::path path = shared / "data/models/mlperf_tiny" / file;
    PeerModel& model = peer.models.emplace_back();
    model.name = name;
    NIBBLE_ASSIGN(model.network, read_cost_network(path));
    NIBBLE_ASSIGN(model.program, whole_program(path, target));
  }
  return peer;
}

LowHigh peer_reads(const Program& program, const Target& target, const std::string& kernels) {
  const double outputs = kernels == kTunedKernels ? 2 : 1;
  LowHigh reads{flash_read_bytes(program, flash_cache_bytes(target)), 0};
  for (const KernelCall* call : layer_calls(program)) {
    const double once = flash_read_bytes(program, *call, std::numeric_limits<int64_t>::max());
    // A layer without weights has nothing to read.
    if (once > 0) reads.high += std::max(once, static_cast<double>(call->macs) / outputs);
  }
  return reads;
}

Result<std::optional<LowHigh>> least_peer_cycles(const PeerRecord& record, const Target& target,
                                                 const std::string& model) {
  const PeerBuild* least = nullptr;
  for (const PeerBuild& build : record.builds)
    if (build.core == target.core && build.kernels == kTunedKernels && build.model == model &&
        !build.mnemonics.empty() && (!least || build.instructions < least->instructions))
      least = &build;
  if (!least || !find_timing(target.core)) return std::optional<LowHigh>();
  NIBBLE_ASSIGN(const LowHigh cycles, core_cycles(*least, target));
  return std::optional<LowHigh>(cycles);
}

Result<std::string> peer_tables(const Peer& peer, const EngineTimes& times) {
  NIBBLE_ASSIGN(const Target target, find_target(kMlperfBoard));
  NIBBLE_ASSIGN(const Table builds, builds_table(peer, target));
  NIBBLE_ASSIGN(const Table published, published_table(peer, times, target));
  const std::string at = fmt::format("at {:.0f} MHz on the STM32L4R5", kilohertz(target) / 1e3);
  return "TensorFlow Lite Micro's own instructions: what their mnemonics leave open " + at + "\n" +
         format_table(builds) + "\nPublished times of engines with CMSIS-NN " + at + ", beside " +
         kTunedKernels + ", " + kUsualFlags + "\n" + format_table(published);
}

}  // namespace nibble
