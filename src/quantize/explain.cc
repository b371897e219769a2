// From the sums of the comparison to what a person reads; doc/quantization.md has the definitions,
// under "Evidence".
#include "quantize/explain.h"

#include <algorithm>
#include <cmath>

#include "ops/ops.h"
#include "quantize/compare_layers.h"

namespace nibble {
namespace {

// From where on a scale is absurd.
constexpr double kScalesApart = 1024;     // channels of one filter
constexpr double kRangeUnused = 16;       // a range, over that of the median channel
constexpr double kLargestMultiplier = 1;  // output steps per accumulator step
constexpr double kSmallestSpan = 0.5;     // output steps per accumulator range

using Kind = ScaleFinding::Kind;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

Plot plot_of(const Histogram& histogram) {
  Plot plot;
  const double width = histogram.bin_width();
  const auto bins = histogram.bins();
  if (bins.empty() || width <= 0) return plot;
  const auto first = static_cast<int64_t>(std::llround(histogram.first_edge() / width));
  const int64_t last = first + static_cast<int64_t>(bins.size()) - 1;
  int shift = 0;
  while ((last >> shift) - (first >> shift) >= static_cast<int64_t>(Plot::kBins)) ++shift;
  plot.bin_width = std::ldexp(width, shift);
  plot.first_edge = static_cast<double>(first >> shift) * plot.bin_width;
  plot.counts.assign(static_cast<size_t>((last >> shift) - (first >> shift) + 1), 0);
  for (size_t i = 0; i < bins.size(); ++i)
    plot.counts[static_cast<size_t>(((first + static_cast<int64_t>(i)) >> shift) -
                                    (first >> shift))] += bins[i];
  return plot;
}

// The widest that any of the scales reaches.
void set_clip(Plot& plot, const QuantParams& params) {
  for (size_t c = 0; c < params.scale.size(); ++c) {
    const auto scale = static_cast<double>(params.scale[c]);
    plot.clip_min = std::min(plot.clip_min, scale * (params.q_min - params.zero_point[c]));
    plot.clip_max = std::max(plot.clip_max, scale * (params.q_max - params.zero_point[c]));
  }
}

// Of one layer's filter, float and quantized.
class FilterEvidence {
 public:
  FilterEvidence(const Tensor& real, const Tensor& integer, int channel_axis)
      : real_(real), params_(*integer.type().quant) {
    const Shape& shape = real.shape();
    channels_ = shape[static_cast<size_t>(channel_axis)];
    for (size_t axis = static_cast<size_t>(channel_axis) + 1; axis < shape.size(); ++axis)
      inner_ *= shape[axis];
    largest_.assign(static_cast<size_t>(channels_), 0);
    auto values = real.data<float>();
    const Tensor found = dequantize_tensor(integer);
    for (size_t i = 0; i < values.size(); ++i) {
      const auto wanted = static_cast<double>(values[i]);
      const double off = wanted - static_cast<double>(found.data<float>()[i]);
      signal_ += wanted * wanted;
      noise_ += off * off;
      double& largest = largest_[static_cast<size_t>(static_cast<int64_t>(i) / inner_ % channels_)];
      largest = std::max(largest, std::abs(wanted));
    }
  }

  bool all_zero(int64_t channel) const { return largest_[static_cast<size_t>(channel)] == 0; }

  // Channels that are dead in float have no say in what is a good scale: training leaves many with
  // weights of 1e-30.
  void fill(LayerEvidence& layer, const std::vector<bool>& dead) const {
    layer.weight_sqnr_db = decibel(signal_, noise_);
    layer.weight_bits = params_.bits;
    layer.weights_per_tensor = params_.per_tensor();
    Histogram histogram;
    histogram.add(real_.data<float>());
    layer.weights = plot_of(histogram);
    set_clip(*layer.weights, params_);
    // Of channels with a scale each, that scale: it is not the largest weight where the range was
    // clipped, has its zero elsewhere, or makes room for a bias.
    const bool one_scale = params_.per_tensor();
    auto size_of = [&](size_t c) {
      return one_scale ? largest_[c] : static_cast<double>(params_.scale[c]);
    };
    std::vector<double> used;
    size_t widest = 0;
    for (size_t c = 0; c < largest_.size(); ++c) {
      if (largest_[c] <= 0 || dead[c]) continue;
      if (used.empty() || size_of(c) > size_of(widest)) widest = c;
      used.push_back(size_of(c));
    }
    if (used.empty()) return;
    const double usual = one_scale ? median(used) : *std::ranges::min_element(used);
    add_ratio(layer, one_scale ? Kind::kWeightRangeUnused : Kind::kWeightScalesApart,
              size_of(widest) / usual, one_scale ? kRangeUnused : kScalesApart,
              static_cast<int64_t>(widest));
  }

  static void add_ratio(LayerEvidence& layer, Kind kind, double value, double limit,
                        int64_t channel) {
    if (value > limit) layer.findings.push_back({kind, value, limit, channel});
  }

 private:
  const Tensor& real_;
  const QuantParams& params_;
  int64_t channels_ = 1, inner_ = 1;
  std::vector<double> largest_;  // per channel, max |w|
  double signal_ = 0, noise_ = 0;
};

void find_dead(LayerEvidence& layer, const LayerCounts& counts, const FilterEvidence& filter) {
  for (size_t c = 0; c < counts.real_min.size(); ++c) {
    const auto channel = static_cast<int64_t>(c);
    if (filter.all_zero(channel))
      layer.dead.push_back({channel, DeadChannel::Why::kZeroWeights});
    else if (counts.real_min[c] == counts.real_max[c])
      layer.dead.push_back({channel, DeadChannel::Why::kConstant});
    else if (counts.q_min[c] == counts.q_max[c])
      layer.dead.push_back({channel, DeadChannel::Why::kRoundedAway});
  }
}

// The activation's one scale against the values of the whole and of its channels.
void find_activation_scales(LayerEvidence& layer, const LayerCounts& counts,
                            const QuantParams& params) {
  const auto step = static_cast<double>(params.scale[0]);
  if (layer.deviation > 0 && step > layer.deviation)
    layer.findings.push_back({Kind::kStepTooCoarse, step / layer.deviation, 1, -1});
  std::vector<double> used;
  double widest = 0;
  int64_t widest_channel = -1;
  for (size_t c = 0; c < counts.real_min.size(); ++c) {
    if (counts.real_min[c] == counts.real_max[c]) continue;
    const double reach = std::max(std::abs(static_cast<double>(counts.real_min[c])),
                                  std::abs(static_cast<double>(counts.real_max[c])));
    if (reach > 0) used.push_back(reach);
    if (reach > widest) widest = reach, widest_channel = static_cast<int64_t>(c);
  }
  // What clipping cuts off costs no grid.
  const double held =
      step * std::max(params.q_max - params.zero_point[0], params.zero_point[0] - params.q_min);
  const double typical = median(used);
  if (typical > 0 && used.size() > 1)
    FilterEvidence::add_ratio(layer, Kind::kActivationUnused, std::min(widest, held) / typical,
                              kRangeUnused, widest_channel);
}

// in_scale * weight_scale / out_scale: accumulator steps in output steps.
void find_multipliers(LayerEvidence& layer, const Graph& integer, const Node& node,
                      const Tensor& filter, const std::vector<bool>& dead) {
  const QuantParams& in = *integer.type(node.inputs[0]).quant;
  const QuantParams& out = *integer.type(node.outputs[0]).quant;
  const QuantParams& params = *filter.type().quant;
  const QuantRule rule = quant_rule(node.op);
  const QuantIndex index(filter.shape(), params);
  const int64_t channels = filter.shape()[static_cast<size_t>(rule.weight_channel_axis)];
  int64_t inner = 1;
  for (size_t axis = static_cast<size_t>(rule.weight_channel_axis) + 1;
       axis < filter.shape().size(); ++axis)
    inner *= filter.shape()[axis];
  std::vector<double> weight_sums(static_cast<size_t>(channels), 0);
  for (int64_t i = 0; i < filter.size(); ++i) {
    int64_t weight = filter.integer_at(i) - params.zero_point[index.channel(i)];
    if (params.group > 0) weight *= params.group_factor[index.run(i)];
    weight_sums[static_cast<size_t>(i / inner % channels)] += static_cast<double>(std::abs(weight));
  }
  ScaleFinding large{Kind::kMultiplierTooLarge, kLargestMultiplier, kLargestMultiplier, -1};
  ScaleFinding small{Kind::kMultiplierTooSmall, kSmallestSpan, kSmallestSpan, -1};
  for (int64_t c = 0; c < channels; ++c) {
    const auto at = static_cast<size_t>(params.per_tensor() ? 0 : c);
    const double multiplier = static_cast<double>(in.scale[0]) *
                              static_cast<double>(params.scale[at]) /
                              static_cast<double>(out.scale[0]);
    const double sum = weight_sums[static_cast<size_t>(c)];
    if (dead[static_cast<size_t>(c)]) continue;
    if (sum > 0 && multiplier > large.value) large.value = multiplier, large.channel = c;
    const double span = multiplier * sum * (in.q_max - in.q_min);
    if (sum > 0 && span < small.value) small.value = span, small.channel = c;
  }
  for (const ScaleFinding& finding : {large, small})
    if (finding.channel >= 0) layer.findings.push_back(finding);
}

LayerEvidence evidence_of(const Graph& real, const Graph& integer, const ComparedLayer& compared) {
  LayerEvidence layer;
  layer.error = error_of(real, integer, compared);
  layer.value = compared.real;
  const QuantParams& params = *integer.type(compared.integer).quant;
  const LayerCounts& counts = compared.counts;
  layer.saturation = {counts.low, counts.high, counts.count, params.zero_point[0] == params.q_min};
  layer.channels = static_cast<int64_t>(counts.real_min.size());
  layer.activation_bits = params.bits;
  const auto count = static_cast<double>(std::max<int64_t>(counts.count, 1));
  const double mean = compared.sums.sum / count;
  layer.deviation = std::sqrt(std::max(0.0, compared.sums.signal / count - mean * mean));
  layer.seen_min = counts.histogram.count() > 0 ? static_cast<double>(counts.histogram.min()) : 0;
  layer.seen_max = counts.histogram.count() > 0 ? static_cast<double>(counts.histogram.max()) : 0;
  layer.activations = plot_of(counts.histogram);
  set_clip(layer.activations, params);
  const Node* node =
      compared.node < 0 ? nullptr : &integer.nodes[static_cast<size_t>(compared.node)];
  const QuantRule rule = node ? quant_rule(node->op) : QuantRule();
  // What keeps or is given its parameters has no scale of its own to judge.
  if (!node || rule.output == QuantRule::Output::kCalibrated)
    find_activation_scales(layer, counts, params);
  if (!node || rule.weight < 0) return layer;
  const std::vector<int> writers = producers(real);
  const int writer = writers[static_cast<size_t>(compared.real)];
  const auto operand = static_cast<size_t>(rule.weight);
  const Node* twin = writer < 0 ? nullptr : &real.nodes[static_cast<size_t>(writer)];
  if (!twin || operand >= twin->inputs.size() || !real.is_constant(twin->inputs[operand]))
    return layer;
  const Tensor& integers = *integer.value(node->inputs[operand]).constant;
  const FilterEvidence filter(*real.value(twin->inputs[operand]).constant, integers,
                              rule.weight_channel_axis);
  find_dead(layer, counts, filter);
  std::vector<bool> dead(counts.real_min.size(), false);
  for (const DeadChannel& channel : layer.dead)
    dead[static_cast<size_t>(channel.channel)] = channel.why != DeadChannel::Why::kRoundedAway;
  filter.fill(layer, dead);
  find_multipliers(layer, integer, *node, integers, dead);
  return layer;
}

}  // namespace

std::string_view dead_channel_why(DeadChannel::Why why) {
  switch (why) {
    case DeadChannel::Why::kZeroWeights:
      return "zero_weights";
    case DeadChannel::Why::kConstant:
      return "constant";
    case DeadChannel::Why::kRoundedAway:
      return "rounded_away";
  }
  NIBBLE_UNREACHABLE("why {}", static_cast<int>(why));
}

std::string_view scale_finding_name(Kind kind) {
  switch (kind) {
    case Kind::kWeightScalesApart:
      return "weight_scales_apart";
    case Kind::kWeightRangeUnused:
      return "weight_range_unused";
    case Kind::kActivationUnused:
      return "activation_range_unused";
    case Kind::kStepTooCoarse:
      return "step_too_coarse";
    case Kind::kMultiplierTooLarge:
      return "multiplier_too_large";
    case Kind::kMultiplierTooSmall:
      return "multiplier_too_small";
  }
  NIBBLE_UNREACHABLE("kind {}", static_cast<int>(kind));
}

Result<std::vector<LayerEvidence>> layer_evidence(const Graph& real, const Graph& integer,
                                                  const CalibrationData& data,
                                                  int64_t max_samples) {
  NIBBLE_ASSIGN(auto compared, compare_values(real, integer, data, max_samples, true));
  std::vector<LayerEvidence> layers;
  for (const ComparedLayer& layer : compared) layers.push_back(evidence_of(real, integer, layer));
  return layers;
}

}  // namespace nibble
