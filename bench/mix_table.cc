// From executed instructions to cycles: what the MLPerf Tiny models execute on the emulator, class
// by class, what src/cost/timing.h makes of it on the STM32L4R5 beside the estimate from the
// program alone and the published times of other engines there, how far the rules that kernels are
// chosen by are from it on every emulated core, and what it makes of the instructions of the peer's
// own code (peer_table.h).
//   nibble_mix_table [--write]
// --write: the tables become a part of doc/cost.md. Exits with 1 if a model or the published times
// ($NIBBLE_SHARED, else ../shared beside the source tree) are missing; without --write, a missing
// record of the peer only leaves its tables out.
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <span>

#include "base/text.h"
#include "cost_data.h"
#include "model_cost.h"
#include "peer_table.h"
#include "shared_folder.h"

namespace nibble {
namespace {

using Table = std::vector<std::vector<std::string>>;

// The models that others publish times of, in the order of their tables.
std::vector<RecordedModel> published_models() {
  std::vector<RecordedModel> models;
  for (const char* key : {"ad", "ic", "kws", "vww"})
    models.push_back(*std::ranges::find(cost_models(), key, &RecordedModel::key));
  return models;
}

std::string millions(double value) { return fmt::format("{:.2f}", value / 1e6); }

std::string milliseconds(const RunResult& run) {
  const double khz = run.estimate->clock_mhz * 1e3;
  return fmt::format("{:.1f}", static_cast<double>(run.cycles_per_inference) / khz);
}

// In hundredths of the instructions.
std::vector<std::string> shares(const InstructionMix& mix) {
  const auto all = static_cast<double>(instructions_of(mix));
  auto share = [&](uint64_t count) {
    return fmt::format("{:.1f}", 100 * static_cast<double>(count) / all);
  };
  return {share(mix.load + mix.load_multiple),
          share(mix.load + mix.load_words),
          share(mix.load_use),
          share(mix.store + mix.store_multiple),
          share(mix.multiply),
          share(mix.multiply_long),
          share(mix.branch),
          share(mix.branch_taken),
          share(mix.alu)};
}

void add_model(const std::string& model, const RunResult& run, Table& mixes, Table& times) {
  std::vector<std::string>& mix = mixes.emplace_back(std::vector<std::string>{
      model, millions(static_cast<double>(run.instructions_per_inference))});
  for (std::string& share : shares(run.mix)) mix.push_back(std::move(share));
  const CostFigure& latency = run.estimate->latency_ms;
  times.push_back({model, millions(static_cast<double>(run.cycles_per_inference)),
                   millions(static_cast<double>(run.wait_cycles)),
                   fmt::format("{:.2f}", static_cast<double>(run.cycles_per_inference) /
                                             static_cast<double>(run.instructions_per_inference)),
                   milliseconds(run), millions(static_cast<double>(run.rule_cycles)),
                   fmt::format("{:.1f}", latency.value),
                   fmt::format("{:.1f}-{:.1f}", latency.low80, latency.high80)});
}

// Those with the shortest times first.
Table peers_table(const EngineTimes& published, const std::map<std::string, RunResult>& ours) {
  std::map<std::string, std::map<std::string, double>> times;
  for (const auto& [engine, of] : published)
    for (const auto& [model, ms] : of)
      if (ours.contains(model)) times[engine][model] = ms;
  auto time_of = [](const std::map<std::string, double>& of, const std::string& model) {
    const auto found = of.find(model);
    return found == of.end() ? 0.0 : found->second;
  };
  std::vector<std::string> engines;
  for (const auto& [engine, of] : times) engines.push_back(engine);
  std::ranges::stable_sort(engines, {}, [&](const std::string& engine) {
    const double kws = time_of(times[engine], "kws");
    return kws > 0 ? kws : 1e9;
  });
  Table table = {{"ms at 120 MHz", "ad", "ic", "kws", "vww"}};
  std::vector<std::string> by_mix = {"nibble, by mix"}, by_rules = {"nibble, by rules"};
  for (const auto& [model, run] : ours) {
    by_mix.push_back(milliseconds(run));
    by_rules.push_back(fmt::format("{:.1f}", run.estimate->latency_ms.value));
  }
  table.push_back(by_mix);
  table.push_back(by_rules);
  for (const std::string& engine : engines) {
    std::vector<std::string>& row = table.emplace_back(std::vector<std::string>{engine});
    for (const auto& [model, run] : ours) {
      const double ms = time_of(times[engine], model);
      row.push_back(ms > 0 ? fmt::format("{:.1f}", ms) : "");
    }
  }
  return table;
}

Result<RunResult> run_model(const RecordedModel& model, const std::filesystem::path& shared,
                            const std::string& target_name) {
  NIBBLE_ASSIGN(const Target target, find_target(target_name));
  NIBBLE_ASSIGN(const Graph graph, cost_graph(model, shared));
  return measure_cost(graph, target, model.key);
}

// The published models on one target of each emulated core, in their order.
struct CoreRuns {
  std::string target;
  std::vector<RunResult> runs;
};

Result<std::vector<CoreRuns>> run_cores(const std::filesystem::path& shared) {
  std::vector<CoreRuns> cores;
  for (const std::string& name : cost_targets()) {
    CoreRuns& core = cores.emplace_back(CoreRuns{name, {}});
    for (const RecordedModel& model : published_models()) {
      NIBBLE_ASSIGN(RunResult run, run_model(model, shared, name));
      core.runs.push_back(std::move(run));
    }
  }
  return cores;
}

// Without waits of flash, which the rules do not have.
double core_cycles(const RunResult& run) {
  return static_cast<double>(run.cycles_per_inference - run.wait_cycles);
}

Table cores_table(const std::vector<CoreRuns>& cores) {
  Table table = {{"by mix over by rules", "ad", "ic", "kws", "vww", "cycles per instruction"}};
  for (const auto& [name, runs] : cores) {
    const std::string& core = runs.front().core;
    std::vector<std::string>& row = table.emplace_back(
        std::vector<std::string>{name == "riscv32-virt-v" ? core + " (vectors)" : core});
    double cycles = 0, instructions = 0;
    for (const RunResult& run : runs) {
      row.push_back(fmt::format("{:.2f}", core_cycles(run) / static_cast<double>(run.rule_cycles)));
      cycles += core_cycles(run);
      instructions += static_cast<double>(run.instructions_per_inference);
    }
    row.push_back(fmt::format("{:.2f}", cycles / instructions));
  }
  return table;
}

// Per multiply-accumulate of all channels, those included that nibble leaves out.
Result<Table> peer_cores_table(const Peer& peer, const std::vector<CoreRuns>& cores) {
  Table table = {{"cycles per MAC, peer / nibble", "ad", "ic", "kws", "vww"}};
  const std::vector<RecordedModel> models = published_models();
  for (const auto& [name, runs] : cores) {
    NIBBLE_ASSIGN(const Target target, find_target(name));
    std::vector<std::string> row = {target.core};
    for (size_t i = 0; i < models.size(); ++i) {
      const auto model = std::ranges::find(peer.models, models[i].key, &PeerModel::name);
      NIBBLE_ASSIGN(const std::optional<LowHigh> cycles,
                    least_peer_cycles(peer.record, target, models[i].key));
      if (!cycles || model == peer.models.end()) continue;
      double macs = 0;
      for (const OpTotals& totals : model->network.all) macs += totals.macs;
      row.push_back(fmt::format("{:.2f}-{:.2f} / {:.2f}", cycles->low / macs, cycles->high / macs,
                                core_cycles(runs[i]) / macs));
    }
    if (row.size() == table[0].size()) table.push_back(row);
  }
  return table;
}

// Nothing, and a line on stderr that says so, where the record is missing and none is needed.
Result<std::optional<Peer>> find_peer(const std::filesystem::path& shared, bool needed) {
  if (!needed && !std::filesystem::exists(shared / kPeerFile)) {
    std::fprintf(stderr, "left out: the peer's tables; %s is missing\n",
                 (shared / kPeerFile).c_str());
    return std::optional<Peer>();
  }
  NIBBLE_ASSIGN(Peer peer, read_peer(shared));
  return std::optional<Peer>(std::move(peer));
}

Result<std::string> peer_text(const Peer& peer, const EngineTimes& published,
                              const std::vector<CoreRuns>& cores) {
  NIBBLE_ASSIGN(const Table by_core, peer_cores_table(peer, cores));
  NIBBLE_ASSIGN(const std::string tables, peer_tables(peer, published));
  return "\n" + tables +
         "\nThe same for every core with such a record, without waits, beside nibble\n" +
         format_table(by_core);
}

Result<std::string> tables(const std::filesystem::path& shared, bool needs_peer) {
  Table mixes = {{"model", "M instructions", "loads", "words", "load-use", "stores", "mul", "long",
                  "branches", "taken", "other"}};
  Table times = {{"model", "M cycles by mix", "of them waits", "per instruction", "ms",
                  "M by rules", "ms estimated", "80 % range"}};
  NIBBLE_ASSIGN(const EngineTimes published, published_times(shared));
  NIBBLE_ASSIGN(const std::optional<Peer> peer, find_peer(shared, needs_peer));
  std::map<std::string, RunResult> ours;
  for (const RecordedModel& model : published_models()) {
    NIBBLE_ASSIGN(RunResult run, run_model(model, shared, kMlperfBoard));
    if (!run.estimate || run.cycles_per_inference == 0)
      return input_error(std::string(kMlperfBoard) + ": no clock, or no row in src/cost/timing.cc");
    add_model(model.key, run, mixes, times);
    ours.emplace(model.key, std::move(run));
  }
  NIBBLE_ASSIGN(const std::vector<CoreRuns> cores, run_cores(shared));
  std::string text =
      "Executed on the emulator for the STM32L4R5, in hundredths of the instructions\n";
  text += format_table(mixes) + "\n";
  text += "What they are predicted to take there, at 120 MHz\n" + format_table(times) + "\n";
  text += "Beside published times on the same board, the best of each engine\n";
  text += format_table(peers_table(published, ours)) + "\n";
  text += "Cycles by mix, without waits of flash, over the cycles that kernels are chosen by\n";
  text += format_table(cores_table(cores));
  if (!peer) return text;
  NIBBLE_ASSIGN(const std::string of_peer, peer_text(*peer, published, cores));
  return text + of_peer;
}

Status run(std::span<char*> arguments) {
  bool write = false;
  for (const std::string argument : arguments) {
    if (argument != "--write") return usage_error(argument + ": the option is --write");
    write = true;
  }
  NIBBLE_ASSIGN(const std::string text, tables(shared_folder(), write));
  std::printf("%s", text.c_str());
  if (!write) return {};
  const std::filesystem::path file = std::filesystem::path(NIBBLE_SOURCE_DIR) / kCostPage;
  NIBBLE_ASSIGN(const std::string page, read_text_file(file));
  NIBBLE_ASSIGN(const WrittenPart parts, split_cost_page(page, "nibble_mix_table"));
  return write_text_file(file, parts.before + text + parts.after);
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  const nibble::Status status = nibble::run(std::span(argv, static_cast<size_t>(argc)).subspan(1));
  if (status.ok()) return 0;
  std::fprintf(stderr, "nibble_mix_table: %s\n", status.error().message.c_str());
  return 1;
}
