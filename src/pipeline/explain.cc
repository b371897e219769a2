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

}  // namespace nibble
