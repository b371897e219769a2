// The ordered list of passes, and simplify, which repeats it until nothing changes.
#include "passes/passes.h"

#include <algorithm>

#include "base/text.h"
#include "ops/ops.h"
#include "passes/list.h"
#include "passes/qdq.h"

namespace nibble {
namespace {

constexpr bool kLate = true;
constexpr bool kCleans = true;
#ifdef NIBBLE_DEVELOPMENT
constexpr bool kVerifyEach = true;
#else
constexpr bool kVerifyEach = false;
#endif

const std::vector<Pass>& list() {
  static const std::vector<Pass> kPasses = {
      {"remove_dead", remove_dead, false, kCleans},
      {"fold_constants", fold_constants, false, kCleans},
      {"lower_u8", lower_u8},
      {"remove_noops", remove_noops, false, kCleans},
      {"simplify_reshapes", simplify_reshapes},
      {"fold_batch_norm", fold_batch_norm},
      {"fold_affine", fold_affine},
      {"fuse_pads", fuse_pads},
      {"restate_depthwise", restate_depthwise},
      {"fuse_activations", fuse_activations},
      {"fold_qdq", fold_qdq},
      {"layout", layout},
      {"absorb_transposes", absorb_transposes, kLate},
      {"fold_dequantized_constants", fold_dequantized_constants, kLate},
      {"lower_batch_norm", lower_batch_norm, kLate},
      {"trim_windows", trim_windows, kLate, kCleans},
      {"merge_nodes", merge_nodes, kLate, kCleans},
      {"remove_identities", remove_identities, kLate, kCleans},
      {"fold_constant_channels", fold_constant_channels, kLate, kCleans},
      {"merge_channels", merge_channels, kLate, kCleans},
      {"remove_channels", remove_channels, kLate, kCleans},
      {"integer_ports", integer_ports, kLate},
  };
  return kPasses;
}

Status check_names(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Pass& pass : list()) known.emplace_back(pass.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string nearest = nearest_word(name, known);
    return usage_error(
        "there is no pass '" + name + "'" +
        (nearest.empty() ? "; known: " + join(known, " ") : "; did you mean '" + nearest + "'?"));
  }
  return {};
}

// Rounds of all passes. A pass that undoes another would go on for ever; a model needs a handful of
// rounds.
class Simplifier {
 public:
  Simplifier(Graph& graph, const SimplifyOptions& options) : graph_(graph), options_(options) {}

  Status run() {
    // What quantize leaves behind was simplified before it, and fold_qdq would make integers of the
    // nodes that are to stay float.
    if (std::ranges::any_of(graph_.nodes, &Node::keep_float)) {
      auto status = verify_graph(graph_, VerifyLevel::kQuantized);
      if (status.ok()) return {};
      return input_error("a graph with keep_float nodes must be quantized but for them: " +
                         status.error().message);
    }
    repeat([&](const Pass& pass) { return !skipped(pass); });
    return finish();
  }

  void run_cleaning() {
    repeat([](const Pass& pass) { return pass.cleans; });
  }

 private:
  template <class Chosen>
  void repeat(Chosen&& chosen) {
    // A model of hundreds of layers settles in a handful of rounds.
    constexpr int kMaxRounds = 100;
    for (int round = 0; round < kMaxRounds; ++round) {
      // What cleans stands in nobody's way, so that it holds up no late pass of this round.
      int changes = 0, cleaned = 0;
      for (const Pass& pass : list()) {
        if ((pass.late && changes > 0) || !chosen(pass)) continue;
        run_pass(pass, pass.late && pass.cleans ? cleaned : changes);
      }
      if (changes + cleaned == 0) return;
    }
    NIBBLE_UNREACHABLE("the passes do not come to an end on '{}'", graph_.name);
  }

  bool skipped(const Pass& pass) const {
    if (!options_.clean_up && pass.late && pass.cleans) return true;
    if (std::find(options_.skip.begin(), options_.skip.end(), pass.name) != options_.skip.end())
      return true;
    if (pass.run != integer_ports) return false;
    if (options_.integer_ports == IntegerPorts::kAuto) return !was_qdq_;
    return options_.integer_ports == IntegerPorts::kOff;
  }

  int integer_operators() const {
    return static_cast<int>(
        std::count_if(graph_.nodes.begin(), graph_.nodes.end(),
                      [&](const Node& node) { return computes_on_integers(graph_, node); }));
  }

  void run_pass(const Pass& pass, int& changes) {
    const int before = pass.run == fold_qdq ? integer_operators() : 0;
    const int count = pass.run(graph_);
    changes += count;
    if (pass.run == fold_qdq && integer_operators() > before) was_qdq_ = true;
    if (options_.observer) options_.observer(pass.name, count, graph_);
    if (!kVerifyEach && !options_.verify_each) return;
    auto status = verify_graph(graph_, VerifyLevel::kImported);
    NIBBLE_CHECK(status.ok(), "the pass {} broke the graph: {}", pass.name, status.error().message);
  }

  Status finish() {
    for (auto* ports : {&graph_.inputs, &graph_.outputs})
      for (Port& port : *ports)
        if (is_identity(port.source_perm)) port.source_perm.clear();
    if (!options_.skip.empty()) return {};
    if (auto status = verify_graph(graph_, VerifyLevel::kSimplified); !status.ok())
      return input_error("the model cannot be simplified: " + status.error().message);
    return {};
  }

  Graph& graph_;
  const SimplifyOptions options_;
  bool was_qdq_ = false;
};

}  // namespace

const std::vector<Pass>& all_passes() { return list(); }

Status simplify(Graph& graph, const SimplifyOptions& options) {
  NIBBLE_TRY(check_names(options.skip));
  return Simplifier(graph, options).run();
}

void clean_up(Graph& graph) { Simplifier(graph, {}).run_cleaning(); }

}  // namespace nibble
