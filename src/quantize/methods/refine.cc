#include "quantize/methods/refine.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/progress.h"
#include "base/stopwatch.h"
#include "ops/ops.h"
#include "quantize/methods/channel_stats.h"
#include "quantize/methods/sample_run.h"
#include "quantize/weight_grid.h"

namespace nibble {
namespace {

using Refine = Status (*)(LayerContext& context);

Refine function_of(Method method) {
  switch (method) {
#define NIBBLE_REFINING(enumerator, name, function, reads, what) \
  case Method::enumerator:                                       \
    return function;
#include "quantize/methods/methods.def"
#undef NIBBLE_REFINING
    default:
      return nullptr;
  }
}

std::vector<Tensor> dequantized(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  result.reserve(tensors.size());
  for (const Tensor& tensor : tensors) result.push_back(dequantize_tensor(tensor));
  return result;
}

}  // namespace

Tensor& LayerContext::weight() {
  return *integer.value(integer.nodes[static_cast<size_t>(node)].inputs[1]).constant;
}
const Tensor& LayerContext::weight() const {
  return *integer.value(integer.nodes[static_cast<size_t>(node)].inputs[1]).constant;
}

float LayerContext::in_scale() const {
  return integer.type(integer.nodes[static_cast<size_t>(node)].inputs[0]).quant->scale[0];
}

bool LayerContext::has_bias() const {
  const Node& changed = integer.nodes[static_cast<size_t>(node)];
  return changed.inputs.size() > 2 && changed.inputs[2] != kNoValue;
}

void LayerContext::add_to_bias(std::span<const double> amounts) {
  if (!has_bias()) return;
  Tensor& bias = *integer.value(integer.nodes[static_cast<size_t>(node)].inputs[2]).constant;
  const std::vector<float>& scales = bias.type().quant->scale;
  const double limit = bias.dtype() == DType::kS32
                           ? bias_room(*weight().type().quant, layer.elems_per_out())
                           : 0x1p46;
  for (size_t c = 0; c < amounts.size(); ++c) {
    const auto scale = static_cast<double>(scales[scales.size() == 1 ? 0 : c]);
    const auto old = static_cast<double>(bias.integer_at(static_cast<int64_t>(c)));
    const double changed = std::round(old + amounts[c] / scale);
    if (std::abs(changed) <= limit)
      bias.set_integer_at(static_cast<int64_t>(c), static_cast<int64_t>(changed));
  }
}

void LayerContext::set_weight(Tensor weight) {
  const Node& changed = integer.nodes[static_cast<size_t>(node)];
  const QuantParams params = *weight.type().quant;
  Value& filter = integer.value(changed.inputs[1]);
  filter.type = weight.type();
  filter.constant = std::move(weight);
  if (!has_bias()) return;
  Value& value = integer.value(changed.inputs[2]);
  const Tensor bias = Tensor::of_floats(value.type.shape, bias_of(real, layer));
  value.constant = value.type.dtype == DType::kS32 ? quantize_bias(bias, in_scale(), params)
                                                   : quantize_wide_bias(bias, in_scale(), params);
  value.type = value.constant->type();
}

QuantParams LayerContext::narrowed(const QuantParams& params, double share) const {
  QuantParams result = params;
  for (float& scale : result.scale)
    scale = std::max(static_cast<float>(static_cast<double>(scale) * share), kLeastScale);
  const Node& reader = integer.nodes[static_cast<size_t>(node)];
  if (has_bias() && integer.type(reader.inputs[2]).dtype == DType::kS32)
    widen_for_bias(result, Tensor::of_floats({layer.out_channels}, bias_of(real, layer)),
                   in_scale(), layer.elems_per_out());
  for (size_t c = 0; c < result.scale.size(); ++c) {
    const double allowed = allowed_scale(static_cast<double>(result.scale[c]), settings.scales);
    result.scale[c] = std::min(static_cast<float>(allowed), params.scale[c]);
  }
  return result;
}

namespace {

// No batch norm stands before the network's inputs: of these the samples tell.
Result<LayerStatistics> with_inputs(const Graph& real, const CalibrationData& data, int64_t samples,
                                    LayerStatistics layers) {
  Graph inputs;
  inputs.inputs = real.inputs;
  inputs.values = real.values;
  NIBBLE_ASSIGN(const auto seen, channel_stats(inputs, data, samples));
  const ValueId input = real.inputs[0].value;
  ChannelStatistics statistics;
  for (const ChannelStats& channel : seen[static_cast<size_t>(input)]) {
    statistics.mean.push_back(channel.mean);
    statistics.deviation.push_back(channel.deviation);
  }
  layers.try_emplace(real.value(input).name, std::move(statistics));
  return layers;
}

}  // namespace

Status refine(const Graph& real, Graph& integer, const CalibrationData& data,
              const QuantizeOptions& options, const LayerStatistics& layers,
              std::vector<StageTime>* times) {
  const Stopwatch whole;
  std::vector<Refine> steps;
  std::vector<StageTime> taken;
  for (Method method : options.methods)
    if (Refine function = function_of(method)) {
      steps.push_back(function);
      taken.push_back({std::string(method_name(method))});
    }
  if (steps.empty()) return {};
  const bool analytic =
      std::ranges::find(options.methods, Method::kCorrectBiasAnalytic) != options.methods.end();
  if (analytic && layers.empty()) return no_statistics(real.name, "--method correct-bias-analytic");
  const int64_t count = std::min(data.count, options.method_options.samples);
  ValueStatistics statistics(real.values.size());
  if (analytic) {
    NIBBLE_ASSIGN(const LayerStatistics known, with_inputs(real, data, count, layers));
    statistics = value_statistics(real, known);
  }
  std::map<std::string, int> real_nodes;
  for (size_t i = 0; i < real.nodes.size(); ++i)
    real_nodes[real.nodes[i].name] = static_cast<int>(i);
  std::vector<Tensor> samples, integers;
  const TensorType& in_type = integer.type(integer.inputs[0].value);
  for (int64_t s = 0; s < count; ++s) {
    samples.push_back(data.sample(s));
    integers.push_back(in_type.dtype == DType::kF32 ? samples.back()
                                                    : quantize_tensor(samples.back(), in_type));
  }
  SampleRun real_run(real, std::move(samples)), integer_run(integer, std::move(integers));
  Progress progress("refining", static_cast<int64_t>(integer.nodes.size()));
  for (size_t i = 0; i < integer.nodes.size(); ++i) {
    const auto twin = real_nodes.find(integer.nodes[i].name);
    const auto layer = twin == real_nodes.end() ? std::nullopt : real_layer(real, twin->second);
    if (twin != real_nodes.end())
      while (real_run.next_node() < static_cast<size_t>(twin->second)) real_run.run_next();
    if (layer && is_integer_node(integer, integer.nodes[i])) {
      const Node& node = integer.nodes[i];
      const LayerSettings settings = settings_of(options, node);
      LayerContext context{real,
                           integer,
                           *layer,
                           static_cast<int>(i),
                           settings.weights,
                           options.method_options,
                           options.seed + i,
                           real_run.at(real.nodes[static_cast<size_t>(twin->second)].inputs[0]),
                           dequantized(integer_run.at(node.inputs[0])),
                           statistics};
      for (size_t k = 0; k < steps.size(); ++k) {
        const Stopwatch watch;
        NIBBLE_TRY(steps[k](context));
        taken[k].seconds += watch.seconds();
      }
    }
    integer_run.run_next();
    progress.add();
  }
  if (!times) return {};
  double rest = whole.seconds();
  for (const StageTime& step : taken) rest -= step.seconds;
  times->push_back({"layer inputs", rest});
  times->insert(times->end(), taken.begin(), taken.end());
  return {};
}

}  // namespace nibble
