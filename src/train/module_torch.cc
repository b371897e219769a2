// The module's one door: its table of functions. What libtorch throws becomes an Error here.
#include <torch/types.h>

#include "base/text.h"
#include "train/module.h"
#include "train/torch_module.h"
#include "train/torch_nodes.h"
#include "train/twin_run.h"

namespace nibble {

Result<std::vector<std::vector<Tensor>>> outputs_in_torch(const Graph& real,
                                                          std::span<const Tensor> samples) {
  NIBBLE_ASSIGN(TwinRun run, TwinRun::make(real, real, samples));
  run.run_to(real.nodes.size());
  std::vector<std::vector<Tensor>> outputs(samples.size());
  for (const Port& port : real.outputs)
    for (size_t s = 0; s < samples.size(); ++s)
      outputs[s].push_back(from_torch(run.at(port.value).real.narrow(0, static_cast<int64_t>(s), 1),
                                      real.type(port.value).shape));
  return outputs;
}

namespace {

StepProgress& step_progress() {
  static StepProgress progress;
  return progress;
}

template <class Function>
auto guarded(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const LearningError& error) {
    return input_error(error.what());
  } catch (const std::exception& error) {
    const std::string text = error.what();
    return input_error("libtorch: " + text.substr(0, text.find('\n')));
  }
}

const TrainModule kModule = {
    [](const Graph& real, Graph& integer, std::span<const Tensor> samples,
       const ReconstructOptions& options) {
      return guarded(
          [&] { return reconstruct_in_torch(real, integer, samples, options, step_progress()); });
    },
    [](const Graph& real, Graph& integer, std::span<const Tensor> samples,
       const LearnRangesOptions& options) {
      return guarded(
          [&] { return learn_ranges_in_torch(real, integer, samples, options, step_progress()); });
    },
    [](const Graph& real, std::span<const Tensor> samples) {
      return guarded([&] { return outputs_in_torch(real, samples); });
    },
    [](const Graph& real, std::span<const WantedStatistics> wanted,
       const SynthesizeOptions& options) {
      return guarded([&] { return synthesize_in_torch(real, wanted, options, step_progress()); });
    },
    [](StepProgress step) { step_progress() = std::move(step); },
};

}  // namespace
}  // namespace nibble

extern "C" __attribute__((visibility("default"))) const char* nibble_train_build() {
  return NIBBLE_TRAIN_BUILD;
}

extern "C" __attribute__((visibility("default"))) const nibble::TrainModule* nibble_train_module() {
  return &nibble::kModule;
}
