// A model for an estimate: integers, whatever it had, and the two forms that other engines see.
#include "base/rng.h"
#include "base/text.h"
#include "passes/passes.h"
#include "pipeline/pipeline.h"

namespace nibble {
namespace {

constexpr int64_t kRandomInputs = 2;

// Numbers as normalized inputs have them.
CalibrationData random_inputs(const Graph& graph) {
  const TensorType type = graph.type(graph.inputs.at(0).value);
  return {kRandomInputs, [type](int64_t index) {
            Rng rng(static_cast<uint64_t>(index) + 1);
            Tensor tensor(type);
            for (float& value : tensor.mutable_data<float>())
              value = static_cast<float>(rng.normal());
            return tensor;
          }};
}

}  // namespace

Result<EstimatedModel> read_estimated_model(const std::filesystem::path& path,
                                            const EstimatedModelOptions& options) {
  EstimatedModel model;
  Graph imported;
  NIBBLE_ASSIGN(model.live, import_model(path, &imported));
  model.all = imported;
  SimplifyOptions as_it_is;
  as_it_is.clean_up = false;
  NIBBLE_TRY(simplify(model.all, as_it_is));
  model.was_float = arithmetic_of(model.live) == "float32";
  model.name = model.live.name;
  if (!model.was_float) {
    if (options.calibration || options.quantize)
      return usage_error(fmt::format("{}: '{}' is already quantized; leave the option out",
                                     options.calibration ? "--calibration" : "--scheme",
                                     path.string()));
    model.integer = model.live;
    model.handed_over = model.all;
    return model;
  }
  NIBBLE_TRY(check_float_model(model.live));
  Calibration calibration{random_inputs(model.live), ""};
  if (options.calibration) {
    NIBBLE_ASSIGN(calibration, read_calibration(*options.calibration, imported, model.live));
    model.note = calibration.note;
  } else {
    model.note =
        "quantized on random inputs, only to see what it costs: with --calibration DATA the layers "
        "are those that deploy would make";
  }
  NIBBLE_ASSIGN(model.integer, quantize(model.live, calibration.samples,
                                        options.quantize.value_or(QuantizeOptions())));
  clean_up(model.integer);
  model.handed_over = model.integer;
  return model;
}

}  // namespace nibble
