// The last link of the equality chain for the user's own model: what the core computed against the
// host, down to the first layer that differs.
#include <algorithm>
#include <map>

#include "ops/ops.h"
#include "pipeline/first_layer.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

using Bytes = std::vector<uint8_t>;

std::optional<Difference> first_output(const Graph& graph,
                                       const std::vector<std::vector<Tensor>>& host,
                                       const std::vector<std::vector<Tensor>>& core) {
  for (size_t s = 0; s < host.size(); ++s)
    for (size_t k = 0; k < host[s].size(); ++k)
      if (!std::ranges::equal(host[s][k].bytes(), core[s][k].bytes())) {
        Difference difference;
        difference.sample = static_cast<int64_t>(s);
        difference.output = graph.value(graph.outputs[k].value).name;
        return difference;
      }
  return std::nullopt;
}

// What each layer is to leave behind, by the integer references.
std::map<std::string, Bytes> reference_layers(const Graph& graph,
                                              const std::vector<Tensor>& sample) {
  std::map<std::string, Bytes> layers;
  Interpreter interpreter(graph);
  interpreter.run(sample, [&](const Node& node, std::span<const Tensor> results) {
    std::span<const uint8_t> bytes = results[0].bytes();
    layers[node.name] = Bytes(bytes.begin(), bytes.end());
  });
  return layers;
}

// Fills in the first layer of the sample whose bytes differ, or why none can be named.
void find_layer(const Compiled& compiled, const Graph& graph, const Target& target,
                const std::vector<Tensor>& sample, RunOptions options, Difference& difference) {
  options.layer_trace = true;
  options.buffer_offsets = compiled.plan.offsets;
  Result<RunResult> traced =
      run_on_target(compiled.library, compiled.program, target, {sample}, options);
  if (!traced.ok()) {
    difference.why = "the layers could not be traced: " + traced.error().message;
    return;
  }
  name_first_layer(layer_calls(compiled.program), traced->trace, reference_layers(graph, sample),
                   difference);
}

}  // namespace

Result<CoreRun> run_and_compare(const Compiled& compiled, const Graph& graph, const Target& target,
                                const Dataset& data, const RunOptions& options) {
  std::vector<std::vector<Tensor>> host;
  NIBBLE_ASSIGN(Score host_score, evaluate(graph, data, &host));
  std::vector<std::vector<Tensor>> samples = quantized_samples(graph, data);
  CoreRun run;
  NIBBLE_ASSIGN(run.result,
                run_on_target(compiled.library, compiled.program, target, samples, options));
  NIBBLE_TRY(check_measured_ram(compiled, run.result.ram));
  run.difference = first_output(graph, host, run.result.outputs);
  if (run.difference)
    find_layer(compiled, graph, target, samples[static_cast<size_t>(run.difference->sample)],
               options, *run.difference);
  NIBBLE_ASSIGN(run.score,
                score_outputs(graph, data, run.result.outputs,
                              fmt::format("{} on {}", host_score.arithmetic, target.core)));
  return run;
}

}  // namespace nibble
