// From executed instructions to cycles: what the MLPerf Tiny models execute on the emulator, class
// by class, what src/cost/timing.h makes of it on the STM32L4R5 beside the estimate from the
// program alone and the published times of other engines there, and how far the rules that kernels
// are chosen by are from it on every emulated core.
//   nibble_mix_table [--write]
// --write: the tables become a part of doc/cost.md. Exits with 1 if a model or the published times
// ($NIBBLE_SHARED, else ../shared beside the source tree) are missing.
#include <algorithm>
#include <cstdio>
#include <map>
#include <span>

#include "base/text.h"
#include "cost_data.h"
#include "model_cost.h"
#include "shared_folder.h"

namespace nibble {
namespace {

using Table = std::vector<std::vector<std::string>>;

constexpr const char* kBoard = "stm32l4r5";

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

// The shortest time of each engine, those with the shortest first.
Result<Table> peers_table(const std::filesystem::path& shared,
                          const std::map<std::string, RunResult>& ours) {
  NIBBLE_ASSIGN(const std::string text, read_text_file(shared / kMlperfFile));
  NIBBLE_ASSIGN(const std::vector<CostRow> rows, read_mlperf(text));
  std::map<std::string, std::map<std::string, double>> times;
  for (const CostRow& row : rows) {
    if (row.board != kBoard || row.use != RowUse::kFit || !ours.contains(row.model)) continue;
    double& best = times[row.stack][row.model];
    best = best == 0 ? row.latency_ms : std::min(best, row.latency_ms);
  }
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

// Without waits of flash, which the rules do not have.
Result<Table> cores_table(const std::filesystem::path& shared) {
  Table table = {{"by mix over by rules", "ad", "ic", "kws", "vww", "cycles per instruction"}};
  for (const std::string& name : cost_targets()) {
    std::vector<std::string>& row = table.emplace_back();
    double cycles = 0, instructions = 0;
    for (const RecordedModel& model : published_models()) {
      NIBBLE_ASSIGN(const RunResult run, run_model(model, shared, name));
      if (row.empty()) row.push_back(name == "riscv32-virt-v" ? run.core + " (vectors)" : run.core);
      const auto core = static_cast<double>(run.cycles_per_inference - run.wait_cycles);
      row.push_back(fmt::format("{:.2f}", core / static_cast<double>(run.rule_cycles)));
      cycles += core;
      instructions += static_cast<double>(run.instructions_per_inference);
    }
    row.push_back(fmt::format("{:.2f}", cycles / instructions));
  }
  return table;
}

Result<std::string> tables(const std::filesystem::path& shared) {
  Table mixes = {{"model", "M instructions", "loads", "words", "load-use", "stores", "mul", "long",
                  "branches", "taken", "other"}};
  Table times = {{"model", "M cycles by mix", "of them waits", "per instruction", "ms",
                  "M by rules", "ms estimated", "80 % range"}};
  std::map<std::string, RunResult> ours;
  for (const RecordedModel& model : published_models()) {
    NIBBLE_ASSIGN(RunResult run, run_model(model, shared, kBoard));
    if (!run.estimate || run.cycles_per_inference == 0)
      return input_error(std::string(kBoard) + ": no clock, or no row in src/cost/timing.cc");
    add_model(model.key, run, mixes, times);
    ours.emplace(model.key, std::move(run));
  }
  NIBBLE_ASSIGN(const Table peers, peers_table(shared, ours));
  NIBBLE_ASSIGN(const Table cores, cores_table(shared));
  std::string text =
      "Executed on the emulator for the STM32L4R5, in hundredths of the instructions\n";
  text += format_table(mixes) + "\n";
  text += "What they are predicted to take there, at 120 MHz\n" + format_table(times) + "\n";
  text += "Beside published times on the same board, the best of each engine\n";
  text += format_table(peers) + "\n";
  text += "Cycles by mix, without waits of flash, over the cycles that kernels are chosen by\n";
  return text + format_table(cores);
}

Status run(std::span<char*> arguments) {
  bool write = false;
  for (const std::string argument : arguments) {
    if (argument != "--write") return usage_error(argument + ": the option is --write");
    write = true;
  }
  NIBBLE_ASSIGN(const std::string text, tables(shared_folder()));
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
