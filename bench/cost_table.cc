// What the MLPerf Tiny int8 models cost on an emulated core, beside the recorded peer (TensorFlow
// Lite Micro with CMSIS-NN).
//   nibble_cost_table [--layers] [--record] [speed|balanced|size] [MODEL...] [target...]
// Models: ic kws vww ad shipped, default all; targets: default one for each core. --layers: each
// layer beside its multiply-accumulates. speed, balanced, size: what the choice of kernels is
// after, default balanced. Cycles are predicted from the executed instructions by
// src/cost/timing.h.
// --record (of all models and targets, balanced): the figures
// become bench/recorded.json, to which tests/size holds every later change. Exits with 1 if a row
// failed or the peer's figures are missing; the others are printed all the same.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <span>

#include "base/text.h"
#include "model_cost.h"
#include "peer_record.h"
#include "shared_folder.h"

namespace nibble {
namespace {

struct TableOptions {
  bool layers = false, record = false;
  Optimize optimize = Optimize::kBalanced;
  std::vector<std::string> models, targets;
};

TableOptions parse_arguments(int argc, char** argv) {
  TableOptions options;
  for (std::string argument : std::span(argv + 1, argv + argc)) {
    bool is_model =
        std::ranges::find(cost_models(), argument, &RecordedModel::key) != cost_models().end();
    if (argument == "--layers")
      options.layers = true;
    else if (argument == "--record")
      options.record = true;
    else if (Result<Optimize> optimize = parse_optimize(argument); optimize.ok())
      options.optimize = *optimize;
    else
      (is_model ? options.models : options.targets).push_back(argument);
  }
  if (options.models.empty())
    for (const RecordedModel& model : cost_models()) options.models.push_back(model.key);
  if (options.targets.empty()) options.targets = cost_targets();
  return options;
}

std::string per_mac(int64_t count, int64_t macs) {
  return macs == 0 ? ""
                   : fmt::format("{:.3f}", static_cast<double>(count) / static_cast<double>(macs));
}

void print_layers(const RunResult& run) {
  const bool cycles = run.cycles_per_inference > 0;
  std::vector<std::vector<std::string>> rows = {{"layer", "MACs", "instructions", "per MAC"}};
  if (cycles) rows[0].insert(rows[0].end(), {"cycles", "per MAC"});
  rows[0].emplace_back("kernel");
  for (const LayerCost& layer : run.layers) {
    // The end of a name says more than its begin.
    constexpr size_t kNameLength = 24;
    std::string name =
        layer.name.substr(layer.name.size() - std::min(layer.name.size(), kNameLength));
    std::vector<std::string>& row = rows.emplace_back(std::vector<std::string>{
        name, with_thousands(layer.macs), with_thousands(layer.instructions),
        per_mac(layer.instructions, layer.macs)});
    if (cycles) {
      row.push_back(with_thousands(layer.cycles));
      row.push_back(per_mac(layer.cycles, layer.macs));
    }
    row.push_back(layer.kernel);
  }
  std::printf("%s\n", format_table(rows).c_str());
}

// A column of the table: ours, and the peer's where it is known.
struct Figure {
  std::string title;
  int64_t ours = 0, peer = 0;
  // Peer ÷ ours; 0 where there is no peer.
  double ratio() const {
    return ours == 0 ? 0 : static_cast<double>(peer) / static_cast<double>(ours);
  }
};

// The peer's best of all its builds: figure by figure, so that no build of it reaches a sum of two.
std::vector<Figure> figures(const RunResult& run, const nlohmann::json& peer) {
  auto theirs = [&](std::initializer_list<const char*> keys) {
    int64_t sum = 0;
    for (const char* key : keys) sum += peer.value(key, int64_t{0});
    return sum;
  };
  return {{"instructions", run.instructions_per_inference, theirs({"instructions_per_inference"})},
          {"code", run.flash.code, theirs({"flash_code_bytes"})},
          {"weights and tables", run.flash.weights, theirs({"flash_model_bytes"})},
          {"flash", run.flash.total, theirs({"flash_code_bytes", "flash_model_bytes"})},
          {"arena", run.ram.arena, theirs({"arena_bytes"})},
          {"stack", run.ram.stack, theirs({"stack_bytes"})},
          {"RAM", run.ram.total, theirs({"arena_bytes", "stack_bytes"})}};
}

std::string figure_text(const Figure& figure) {
  if (figure.peer == 0) return with_thousands(figure.ours);
  return fmt::format("{} / {} ({:.2f})", with_thousands(figure.ours), with_thousands(figure.peer),
                     figure.ratio());
}

Result<RunResult> measure(const RecordedModel& model, const Target& target,
                          const TableOptions& options) {
  NIBBLE_ASSIGN(Graph graph, cost_graph(model, shared_folder()));
  return measure_cost(graph, target, model.key, options.optimize);
}

class Table {
 public:
  Table(const Target& target, const TableOptions& options) : target_(target), options_(options) {}

  void add(const std::string& model, const RunResult& run, const nlohmann::json& peer) {
    std::vector<std::string> row = {model}, head = {"model"};
    for (const Figure& figure : figures(run, peer)) {
      head.push_back(figure.title);
      row.push_back(figure_text(figure));
      if (figure.peer > 0) {
        log_ratios_[figure.title] += std::log(figure.ratio());
        ++counts_[figure.title];
      }
      if (figure.title != "instructions") continue;
      head.emplace_back("per MAC");
      row.push_back(per_mac(figure.ours, run.macs));
      if (run.cycles_per_inference == 0) continue;
      head.insert(head.end(), {"cycles", "per MAC"});
      row.push_back(with_thousands(run.cycles_per_inference));
      row.push_back(per_mac(run.cycles_per_inference, run.macs));
    }
    if (rows_.empty()) rows_.push_back(head);
    rows_.push_back(row);
  }

  void print() {
    if (rows_.empty()) return;
    std::vector<std::string> means = {"geometric mean"};
    for (size_t i = 1; i < rows_[0].size(); ++i) {
      const std::string& title = rows_[0][i];
      means.push_back(counts_[title] == 0
                          ? ""
                          : fmt::format("({:.2f})", std::exp(log_ratios_[title] / counts_[title])));
    }
    if (rows_.size() > 2) rows_.push_back(means);
    std::printf("%s (%s), %s: ours / peer's best (peer ÷ ours)\n%s\n", target_.name.c_str(),
                target_.core.c_str(), std::string(optimize_name(options_.optimize)).c_str(),
                format_table(rows_).c_str());
  }

 private:
  const Target& target_;
  const TableOptions& options_;
  std::vector<std::vector<std::string>> rows_;
  std::map<std::string, double> log_ratios_;
  std::map<std::string, int> counts_;
};

// Prints the table of one target and adds its figures to the record; the number of models that
// failed.
int print_target(const Target& target, const TableOptions& options, const nlohmann::json& peer,
                 nlohmann::ordered_json& record) {
  int failures = 0;
  Table table(target, options);
  nlohmann::ordered_json figures = {{"core", target.core},
                                    {"compiler", compiler_version(compiler_of(target))}};
  for (const RecordedModel& model : cost_models()) {
    if (std::ranges::find(options.models, model.key) == options.models.end()) continue;
    Result<RunResult> run = measure(model, target, options);
    if (!run.ok()) {
      std::fprintf(stderr, "%s: %s\n", model.key.c_str(), run.error().message.c_str());
      ++failures;
      continue;
    }
    if (options.layers) print_layers(*run);
    table.add(model.key, *run, peer.value(model.key, nlohmann::json::object()));
    figures[model.key] = cost_record(*run);
  }
  table.print();
  if (!peer.empty()) figures["peer"] = peer;
  record[target.name] = std::move(figures);
  return failures;
}

Status write_record(const nlohmann::ordered_json& record) {
  return write_text_file(std::filesystem::path(NIBBLE_SOURCE_DIR) / "bench/recorded.json",
                         record.dump(1) + "\n");
}

int run(int argc, char** argv) {
  TableOptions options = parse_arguments(argc, argv);
  nlohmann::json baseline = nlohmann::json::object();
  nlohmann::ordered_json record;
  Result<PeerRecord> peer = read_peer_record(shared_folder());
  int failures = 0;
  if (peer.ok()) {
    baseline = std::move(peer->best);
  } else {
    std::fprintf(stderr, "%s\n", peer.error().message.c_str());
    ++failures;
  }
  for (const std::string& name : options.targets) {
    Result<Target> target = find_target(name);
    if (!target.ok()) {
      std::fprintf(stderr, "%s\n", target.error().message.c_str());
      return static_cast<int>(target.error().kind);
    }
    failures += print_target(*target, options,
                             baseline.value(target->core, nlohmann::json::object()), record);
  }
  if (options.record && failures == 0 && options.optimize == Optimize::kBalanced)
    if (Status written = write_record(record); !written.ok()) {
      std::fprintf(stderr, "%s\n", written.error().message.c_str());
      ++failures;
    }
  return failures > 0;
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
