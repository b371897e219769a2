// The shipped keyword spotter as the chain's tests run it: quantized by nibble itself with the
// calibration data that are shipped with it. Needs nothing beside the repository.
#pragma once

#include <vector>

#include "pipeline/pipeline.h"
#include "support/shared_data.h"

namespace nibble {

struct QuantizedModel {
  Graph graph;
  std::vector<std::vector<Tensor>> samples;  // as check_chain takes them
};

inline Result<QuantizedModel> shipped_keyword_spotter(int64_t samples,
                                                      Rounding rounding = Rounding::kTflite) {
  const std::filesystem::path folder = source_path("examples/keyword_spotting");
  NIBBLE_ASSIGN(Graph real, import_model(folder / "kws.onnx"));
  NIBBLE_ASSIGN(Dataset calibration, read_dataset(folder / "calibration.npz", real));
  QuantizeOptions options;
  options.rounding = rounding;
  QuantizedModel model;
  NIBBLE_ASSIGN(model.graph, quantize(real, calibration_data(calibration, real), options));
  DataOptions few;
  few.max_samples = samples;
  NIBBLE_ASSIGN(Dataset data, read_dataset(folder / "test.npz", model.graph, few));
  model.samples = quantized_samples(model.graph, data);
  return model;
}

}  // namespace nibble
