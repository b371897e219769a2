// What quantization does to each layer, gathered from quantize/ and from runs of the network.
#include "passes/passes.h"
#include "pipeline/effects.h"

namespace nibble {

Result<Explanation> explain(const Graph& real, const Graph& integer, const CalibrationData& samples,
                            int64_t max_samples, const Dataset* data) {
  Explanation explanation;
  explanation.samples = std::min(samples.count, max_samples);
  NIBBLE_ASSIGN(explanation.layers, layer_evidence(real, integer, samples, max_samples));
  if (data) NIBBLE_TRY(add_effects(explanation, real, integer, *data));
  // Of what is written: without what is dead.
  Graph written = integer;
  clean_up(written);
  explanation.certificate = certify(written);
  return explanation;
}

std::vector<LayerError> layer_errors(const Explanation& explanation) {
  std::vector<LayerError> errors;
  for (const LayerEvidence& layer : explanation.layers)
    if (layer.error.op != "input") errors.push_back(layer.error);
  return errors;
}

Result<Stability> stability(const Graph& graph, const CalibrationData& samples,
                            const QuantizeOptions& options, const StabilityOptions& asked,
                            const Dataset* data) {
  ScoreGraph score;
  std::string metric;
  if (data)
    score = [&](const Graph& integer) -> Result<double> {
      NIBBLE_ASSIGN(Score found, evaluate(integer, *data));
      if (found.metric == "none")
        return input_error("--stability scores its networks on --data, and " + found.why);
      metric = found.metric;
      return found.value;
    };
  NIBBLE_ASSIGN(Stability result, measure_stability(graph, samples, options, asked, score));
  result.metric_name = metric;
  return result;
}

}  // namespace nibble
