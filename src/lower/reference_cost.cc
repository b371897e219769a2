#include "lower/reference_cost.h"

#include <algorithm>
#include <cmath>

#include "common/window.h"

namespace nibble {
namespace {

// What a layer's cycles are proportional to.
struct Work {
  double outputs = 0;
  double taps = 0;  // that lie in the image, of all outputs
  double macs = 0;  // of these taps
};

// Cycles of each on a Cortex-M4.
struct Cost {
  double call = 0, output = 0, tap = 0, mac = 0;
};

// The same on other cores, as multiples.
struct CoreFactors {
  double output = 1, tap = 1, mac = 1;
};

CoreFactors core_factors(const LowerOptions& options) {
  // A Cortex-M0+ multiplies to 32 bits only, so that rescaling is what costs.
  if (has(options, Isa::kThumb)) return {2.6, 1.2, 1.7};
  // A cycle for an instruction.
  if (has(options, Isa::kRv32) || has(options, Isa::kRvv)) return {0.8, 0.65, 1.1};
  return {};
}

double product(const LayerView& layer, std::initializer_list<const char*> names) {
  double result = 1;
  for (const char* name : names) result *= static_cast<double>(layer.field(name));
  return result;
}

// Pairs of an output and a tap of its window that lie inside, along one axis.
double inside(const LayerView& layer, const std::string& axis, const std::string& before) {
  const int in = layer.int_field("in_" + axis), taps = layer.int_field("k_" + axis),
            dilation = layer.int_field("dilation_" + axis);
  int64_t pairs = 0;
  for (int out = 0; out < layer.int_field("out_" + axis); ++out) {
    const int origin = out * layer.int_field("stride_" + axis) - layer.int_field("pad_" + before);
    pairs += std::max(
        0, nibble_end_tap(origin, in, taps, dilation) - nibble_first_tap(origin, dilation));
  }
  return static_cast<double>(pairs);
}

Work windowed_work(const LayerView& layer, double channels) {
  const double batches = static_cast<double>(layer.field("batches"));
  Work work;
  work.outputs = channels * product(layer, {"batches", "out_h", "out_w"});
  work.taps = batches * channels * inside(layer, "h", "top") * inside(layer, "w", "left");
  return work;
}

double cycles(const Work& work, const Cost& cost, const CoreFactors& core) {
  return cost.call + cost.output * core.output * work.outputs + cost.tap * core.tap * work.taps +
         cost.mac * core.mac * work.macs;
}

double convolution_cycles(const LayerView& layer, const CoreFactors& core) {
  const bool wide = layer.family() != "conv2d_s8" && layer.family() != "depthwise_conv2d_s8";
  if (layer.family().starts_with("depthwise")) {
    Work work = windowed_work(layer, product(layer, {"in_c", "channel_multiplier"}));
    work.macs = work.taps;
    return cycles(work, wide ? Cost{1400, 155, 0, 5.6} : Cost{700, 140, 0, 8.1}, core);
  }
  Work work = windowed_work(layer, static_cast<double>(layer.field("out_c")));
  work.macs = work.taps * static_cast<double>(layer.field("in_c") / layer.field("groups"));
  return cycles(work, wide ? Cost{2500, 89, 50, 3.9} : Cost{1300, 108, 26, 4.3}, core);
}

double pool_cycles(const LayerView& layer, const Cost& cost, const CoreFactors& core,
                   const LowerOptions& options) {
  const auto channels = static_cast<double>(layer.field("channels"));
  if (!has(options, Isa::kRvv)) return cycles(windowed_work(layer, channels), cost, core);
  // Compilers take all channels of a tap at once.
  constexpr double kLanes = 32, kPerGroup = 36, kPerTap = 3.5;
  const Work work = windowed_work(layer, std::ceil(channels / kLanes));
  return cost.call + kPerGroup * work.outputs + kPerTap * work.taps;
}

double dense_cycles(const LayerView& layer, const CoreFactors& core) {
  Work work;
  work.outputs = product(layer, {"rows", "out_len"});
  work.macs = static_cast<double>(layer.macs());
  return cycles(work, layer.family() == "dense_s8" ? Cost{140, 92, 0, 5.5} : Cost{630, 115, 0, 4.9},
                core);
}

// Per element, where it is rescaled, or moved, or looked up.
double element_cost(std::string_view family) {
  if (family.starts_with("add_s8") || family.starts_with("add_broadcast_s8")) return 120;
  if (family.starts_with("add_")) return 65;
  if (family.starts_with("mul_") || family.starts_with("leaky_relu") ||
      family.starts_with("requantize"))
    return 60;
  if (family.starts_with("quantize_f32")) return 36;
  if (family.starts_with("lookup") || family.starts_with("clamp")) return 10;
  return 20;
}
// Of a clamp to one value the compiler makes a fill.
bool one_value(const KernelRequest& request) {
  auto field = [&](std::string_view name) {
    return std::ranges::find(request.fields, name, &std::pair<std::string, int64_t>::first);
  };
  auto low = field("act_min"), high = field("act_max"), none = request.fields.end();
  return low != none && high != none && low->second == high->second;
}
constexpr double kPerFilled = 1;
constexpr double kPerShare = 600;  // of a softmax of s8: exp twice, unless it is far below
constexpr double kPerWideShare = 90;
// Per element of a float operation without a unit for it.
constexpr double kPerSoftFloat = 250, kPerSoftFloatOnThumb = 600;

// The extents whose product is the number of elements, whatever the family.
constexpr std::string_view kElementExtents[] = {
    "batches",  "out_h",    "out_w",    "rows",     "len",      "channels", "row_len",
    "extent_0", "extent_1", "extent_2", "extent_3", "extent_4", "extent_5"};

}  // namespace

double reference_cycles(const KernelRequest& request, const LowerOptions& options) {
  const LayerView layer(request);
  const std::string_view family = layer.family();
  const CoreFactors core = core_factors(options);
  if (family.find("conv2d") != std::string_view::npos) return convolution_cycles(layer, core);
  if (family.starts_with("dense")) return dense_cycles(layer, core);
  if (family.starts_with("avg_pool2d")) return pool_cycles(layer, {430, 38, 3, 0}, core, options);
  if (family.starts_with("max_pool2d")) {
    // It rescales nothing.
    return pool_cycles(layer, {390, 38, 5, 0}, {core.tap, core.tap, 1}, options);
  }
  Work work;
  if (family.starts_with("mean")) {
    work.outputs = product(layer, {"outer", "middle", "inner"});
    // Elements that lie side by side compilers add up as vectors.
    if (has(options, Isa::kRvv) && layer.field("inner") == 1 && layer.field("middle") == 1)
      return work.outputs * (30 + product(layer, {"axis_a", "axis_b"}) / 4);
    work.taps = work.outputs * product(layer, {"axis_a", "axis_b"});
    return cycles(work, {60, 145, 8, 0}, core);
  }
  work.outputs = 1;
  for (const auto& [name, value] : request.fields)
    if (std::ranges::find(kElementExtents, name) != std::end(kElementExtents))
      work.outputs *= static_cast<double>(std::max<int64_t>(1, value));
  if (family.starts_with("softmax"))
    return cycles(work, {60, family == "softmax_s8" ? kPerShare : kPerWideShare, 0, 0}, core);
  if (!options.isa.empty() && !has_float_unit(options) &&
      family.find("f32") != std::string_view::npos)
    return work.outputs * (has(options, Isa::kThumb) ? kPerSoftFloatOnThumb : kPerSoftFloat);
  return cycles(work, {100, one_value(request) ? kPerFilled : element_cost(family), 0, 0}, core);
}

int64_t reference_code_bytes(std::string_view family) {
  // As compiled for a Cortex-M4; the longest prefix that fits stands first.
  static constexpr std::pair<std::string_view, int64_t> kBytes[] = {{"add_broadcast_s16", 860},
                                                                    {"add_broadcast", 1100},
                                                                    {"add_s16", 570},
                                                                    {"add", 880},
                                                                    {"avg_pool2d", 700},
                                                                    {"conv2d_s16", 1860},
                                                                    {"conv2d", 1380},
                                                                    {"copy_strided", 200},
                                                                    {"dense_s16", 1010},
                                                                    {"dense", 580},
                                                                    {"depthwise_conv2d_s16", 1580},
                                                                    {"depthwise_conv2d", 1340},
                                                                    {"leaky_relu", 380},
                                                                    {"max_pool2d", 640},
                                                                    {"mean_s16", 640},
                                                                    {"mean", 460},
                                                                    {"mul_broadcast", 550},
                                                                    {"mul", 330},
                                                                    {"pad", 290},
                                                                    {"quantize_f32", 190},
                                                                    {"requantize", 300},
                                                                    {"resize_nearest", 190},
                                                                    {"softmax_s16", 630},
                                                                    {"softmax", 880}};
  constexpr int64_t kFewBytes = 60;
  for (const auto& [prefix, bytes] : kBytes)
    if (family.starts_with(prefix)) return bytes;
  return kFewBytes;
}

int64_t reference_constant_bytes(const KernelRequest& request) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : request.constants)
    bytes += static_cast<int64_t>(tensor.bytes().size());
  return bytes;
}

}  // namespace nibble
