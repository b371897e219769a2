// Pools and means of s16, a group of channels at once (kernels/common/taps_s16.h): plain C, with
// the DSP extension's instructions or Helium's where the core has them. With RISC-V vectors the
// compiler makes more of the portable pools.
#include <algorithm>
#include <map>

#include "common/requant.h"
#include "lower/packing.h"
#include "lower/progress.h"
#include "lower/variant.h"

namespace nibble {
namespace {

struct TapsFamily {
  std::string folder;               // and the family without its _s16
  std::vector<const char*> fields;  // of its argument struct, in order
  std::vector<std::string> files;   // beside those that all have
};

int64_t group_of(const LowerOptions& options, bool is_max) {
  return has(options, Isa::kMve) || is_max ? 8 : 4;
}

// Cycles of a tap of a channel, beside that of an output, of a pixel.
struct TapsCost {
  double tap = 0, output = 0, pixel = 100;
};

TapsCost taps_cost(const LowerOptions& options, bool is_max) {
  if (has(options, Isa::kMve)) return {is_max ? 0.7 : 1, is_max ? 2.0 : 6.0, 120};
  if (has(options, Isa::kDsp)) return {is_max ? 2.0 : 2.5, is_max ? 6.0 : 16.0, 100};
  bool thumb = has(options, Isa::kThumb);
  return {thumb ? 5.5 : 3.5, is_max ? 10.0 : thumb ? 60.0 : 20.0, 120};
}

// `other`: fields that are not the layer's.
KernelVariant taps_variant(const LayerView& layer, const TapsFamily& family, bool takes_rows,
                           const std::map<std::string, int64_t>& other = {}) {
  std::string fields;
  for (const char* field : family.fields) {
    auto found = other.find(field);
    fields += fmt::format("{}{}", fields.empty() ? "" : ", ",
                          found != other.end() ? found->second : layer.field(field));
  }
  const std::string rows = takes_rows ? ", int32_t first_row, int32_t end_row" : "";
  const std::string name = family.folder + "_s16";
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_{}_taps_{}", name, text_hash(fields));
  function.isa = "portable";
  function.files = {"common/nibble_common.h", "common/requant.h", "common/rescale_s16.h",
                    "common/taps_s16.h"};
  function.files.insert(function.files.end(), family.files.begin(), family.files.end());
  function.files.push_back(fmt::format("{}/{}.h", family.folder, name));
  function.files.push_back(fmt::format("{}/{}_taps.h", family.folder, name));
  function.parameters = {"const int16_t *", "int16_t *"};
  function.takes_rows = takes_rows;
  function.text = fmt::format(
      "static void {0}(\n    const int16_t *src, int16_t *dst{1}) {{\n"
      "  static const nibble_{2}_args args = {{\n      {3}}};\n"
      "  nibble_{2}_taps(&args, src, dst{4});\n}}\n",
      function.name, rows, name, fields, takes_rows ? ", first_row, end_row" : "");
  return variant;
}

std::vector<KernelVariant> pool_taps(const LayerView& layer, const LowerOptions& options,
                                     const TapsFamily& family, bool is_max) {
  if (layer.field("channels") < group_of(options, is_max) || has(options, Isa::kRvv)) return {};
  // Without SIMD the portable kernel's loops are as short, but for divisions and for large windows.
  bool simd = has(options, Isa::kMve) || (is_max && has(options, Isa::kDsp));
  int64_t least_taps = simd ? 1 : has(options, Isa::kThumb) ? 2 : 16;
  if ((is_max && !simd) || layer.field("k_h") * layer.field("k_w") < least_taps) return {};
  KernelVariant variant = taps_variant(layer, family, true);
  TapsCost cost = taps_cost(options, is_max);
  auto pixels =
      static_cast<double>(layer.field("batches") * layer.field("out_h") * layer.field("out_w"));
  auto channels = static_cast<double>(layer.field("channels"));
  auto taps = static_cast<double>(layer.field("k_h") * layer.field("k_w"));
  variant.cycles =
      CostFit{500, 1.1}(pixels * (cost.pixel + channels * (cost.output + taps * cost.tap)));
  variant.function.code_bytes = is_max ? 450 : 600;
  WindowWalk walk{layer.field("batches"),      layer.field("in_h"),     layer.field("in_w"),
                  2 * layer.field("channels"), layer.field("out_h"),    layer.field("out_w"),
                  2 * layer.field("channels"), layer.field("stride_h"), layer.field("stride_w"),
                  layer.field("pad_top"),      layer.field("pad_left")};
  variant.progress = tile_progress(walk, {});
  return {std::move(variant)};
}

}  // namespace

std::vector<KernelVariant> generate_max_pool2d_s16_taps(const LayerView& layer,
                                                        const LowerOptions& options) {
  TapsFamily family{
      "max_pool2d",
      {"batches", "in_h", "in_w", "channels", "out_h", "out_w", "k_h", "k_w", "act_min", "act_max",
       "stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left"},
      {"common/window.h"}};
  return pool_taps(layer, options, family, true);
}

std::vector<KernelVariant> generate_avg_pool2d_s16_taps(const LayerView& layer,
                                                        const LowerOptions& options) {
  TapsFamily family{
      "avg_pool2d",
      {"batches", "in_h", "in_w", "channels", "out_h", "out_w", "k_h", "k_w", "act_min", "act_max",
       "stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left", "count_pad"},
      {"common/window.h"}};
  return pool_taps(layer, options, family, false);
}

std::vector<KernelVariant> generate_mean_s16_taps(const LayerView& layer,
                                                  const LowerOptions& options) {
  constexpr int64_t kMostTaps = 1 << 15;
  constexpr int kMostShift = 30;
  int64_t middle = layer.field("middle"), inner = layer.field("inner");
  // Without a second block of axes all that is kept lies side by side.
  if (layer.field("axis_b") == 1) {
    inner *= middle;
    middle = 1;
  }
  int64_t taps = layer.field("axis_a") * layer.field("axis_b");
  int shift = -layer.int_field("exponent");
  bool helium = has(options, Isa::kMve);
  if (has(options, Isa::kRvv) || inner < group_of(options, false) || taps > kMostTaps ||
      layer.field("multiplier") < 1 << 30 || shift < (helium ? 1 : 0) || shift > kMostShift ||
      (helium && layer.field("rounding") != NIBBLE_ROUNDING_TFLITE))
    return {};
  TapsFamily family{"mean",
                    {"outer", "axis_a", "middle", "axis_b", "inner", "multiplier", "exponent",
                     "act_min", "act_max", "rounding"},
                    {}};
  KernelVariant variant =
      taps_variant(layer, family, false, {{"middle", middle}, {"inner", inner}});
  TapsCost cost = taps_cost(options, false);
  auto pixels = static_cast<double>(layer.field("outer") * middle);
  variant.cycles = CostFit{300, 1.4}(
      pixels * (cost.pixel +
                static_cast<double>(inner) * (cost.output + static_cast<double>(taps) * cost.tap)));
  variant.function.code_bytes = 500;
  variant.progress =
      unit_progress(layer.field("outer"), 2 * taps * middle * inner, 2 * middle * inner);
  return {std::move(variant)};
}

}  // namespace nibble
