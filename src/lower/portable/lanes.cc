// Pools and means four channels at once in the lanes of a word (kernels/common/lanes_s8.h): plain C
// with the DSP extension's instructions where the core has them. With vectors more at once
// (avg_pool2d_s8_vectors.h, max_pool2d_s8_vectors.h, mean_s8_vectors.h).
#include <algorithm>
#include <cmath>
#include <map>

#include "lower/packing.h"
#include "lower/progress.h"
#include "lower/variant.h"

namespace nibble {
namespace {

constexpr int kLanes = 4;

struct LanesFamily {
  std::string folder, family;
  std::vector<const char*> fields;  // of its argument struct, in order
  std::string file;                 // beside those that all have
  std::string form = "lanes", isa = "portable";
};

// Cycles of a tap of four channels, beside that of four outputs, of a pixel.
struct LanesCost {
  double tap = 0, group = 0, pixel = 100;
};

LanesCost lanes_cost(const LowerOptions& options, bool is_max) {
  bool thumb = has(options, Isa::kThumb);
  double slow = thumb ? 1.8 : 1;
  LanesCost cost;
  cost.tap = slow * (has(options, Isa::kDsp) ? 8 : is_max ? 24 : 12);
  cost.group = slow * (is_max ? 80 : thumb ? 250 : 200);
  return cost;
}

// `channels`: that lie side by side. Words must be readable where they lie. With vectors the
// compiler makes more of the portable kernels than of lanes: a ninth of the instructions.
bool covers(int64_t channels, const LowerOptions& options) {
  if (channels < kLanes || has(options, Isa::kRvv)) return false;
  return channels % kLanes == 0 || has(options, Isa::kThumb2);
}

// `other`: fields that are not the layer's.
KernelVariant lanes_variant(const LayerView& layer, const LanesFamily& family, bool takes_rows,
                            const std::map<std::string, int64_t>& other = {}) {
  std::string fields;
  for (const char* field : family.fields) {
    auto found = other.find(field);
    fields += fmt::format("{}{}", fields.empty() ? "" : ", ",
                          found != other.end() ? found->second : layer.field(field));
  }
  const std::string rows = takes_rows ? ", int32_t first_row, int32_t end_row" : "";
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_{}_{}_{}", family.family, family.form, text_hash(fields));
  function.isa = family.isa;
  function.files = {"common/nibble_common.h",
                    "common/requant.h",
                    "common/lanes_s8.h",
                    family.file,
                    fmt::format("{}/{}.h", family.folder, family.family),
                    fmt::format("{}/{}_{}.h", family.folder, family.family, family.form)};
  function.parameters = {"const int8_t *", "int8_t *"};
  function.takes_rows = takes_rows;
  function.text = fmt::format(
      "static void {0}(\n    const int8_t *src, int8_t *dst{1}) {{\n"
      "  static const nibble_{2}_args args = {{\n      {3}}};\n"
      "  nibble_{2}_{5}(&args, src, dst{4});\n}}\n",
      function.name, rows, family.family, fields, takes_rows ? ", first_row, end_row" : "",
      family.form);
  return variant;
}

std::vector<KernelVariant> pool_lanes(const LayerView& layer, const LowerOptions& options,
                                      const LanesFamily& family, bool is_max) {
  if (!covers(layer.field("channels"), options)) return {};
  KernelVariant variant = lanes_variant(layer, family, true);
  LanesCost cost = lanes_cost(options, is_max);
  auto pixels =
      static_cast<double>(layer.field("batches") * layer.field("out_h") * layer.field("out_w"));
  auto groups = static_cast<double>((layer.field("channels") + kLanes - 1) / kLanes);
  auto taps = static_cast<double>(layer.field("k_h") * layer.field("k_w"));
  variant.cycles = pixels * (cost.pixel + groups * (cost.group + taps * cost.tap));
  variant.function.code_bytes = is_max ? 450 : 900;
  variant.progress = tile_progress(window_walk(layer), {});
  return {std::move(variant)};
}

LanesFamily max_pool_family() {
  return {"max_pool2d",
          "max_pool2d_s8",
          {"batches", "in_h", "in_w", "channels", "out_h", "out_w", "k_h", "k_w", "act_min",
           "act_max", "stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left"},
          "common/window.h"};
}

LanesFamily avg_pool_family() {
  return {"avg_pool2d",
          "avg_pool2d_s8",
          {"batches", "in_h", "in_w", "channels", "out_h", "out_w", "k_h", "k_w", "act_min",
           "act_max", "stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left",
           "count_pad", "pad_value"},
          "common/window.h"};
}

LanesFamily mean_family() {
  return {"mean",
          "mean_s8",
          {"outer", "axis_a", "middle", "axis_b", "inner", "multiplier", "exponent", "in_zero",
           "out_zero", "act_min", "act_max", "rounding"},
          "common/output_s8.h"};
}

// Elements that are kept in the middle, and side by side.
std::pair<int64_t, int64_t> mean_extents(const LayerView& layer) {
  int64_t middle = layer.field("middle"), inner = layer.field("inner");
  // Without a second block of axes all that is kept lies side by side.
  if (layer.field("axis_b") == 1) return {1, inner * middle};
  return {middle, inner};
}

// A core's vectors: bytes in one, and cycles for an instruction; channels that are averaged at
// once, and the cycles of an average's pixel, of a group of channels, of a tap.
struct VectorCore {
  std::string isa;
  double lanes = 16, cycles = 2;
  double averaged = 8, per_pixel = 0, per_group = 0, per_tap = 0;
};
const VectorCore kHelium = {"mve", 16, 2, 8, 117, 52, 6.5},
                 kRiscVectors = {"rvv", 128, 1, 64, 90, 45, 5.5};
constexpr int64_t kMostTaps = 256;  // of an average: what sums of 16 bits hold

std::vector<KernelVariant> max_pool_vectors(const LayerView& layer, const VectorCore& core) {
  LanesFamily family = max_pool_family();
  family.form = "vectors", family.isa = core.isa;
  KernelVariant variant = lanes_variant(layer, family, true);
  auto rows = static_cast<double>(layer.field("batches") * layer.field("out_h"));
  auto pixels = rows * static_cast<double>(layer.field("out_w"));
  double groups = std::ceil(static_cast<double>(layer.field("channels")) / core.lanes);
  auto taps = static_cast<double>(layer.field("k_h") * layer.field("k_w"));
  variant.cycles = 120 * rows + pixels * (10 + groups * (18 + core.cycles * 2 * taps + 3 * taps));
  variant.function.code_bytes = 600;
  variant.progress = tile_progress(window_walk(layer), {});
  return {std::move(variant)};
}

std::vector<KernelVariant> avg_pool_vectors(const LayerView& layer, const VectorCore& core) {
  const int64_t taps = layer.field("k_h") * layer.field("k_w");
  if (taps > kMostTaps) return {};
  LanesFamily family = avg_pool_family();
  family.form = "vectors", family.isa = core.isa;
  KernelVariant variant = lanes_variant(layer, family, true);
  auto pixels =
      static_cast<double>(layer.field("batches") * layer.field("out_h") * layer.field("out_w"));
  double groups = std::ceil(static_cast<double>(layer.field("channels")) / core.averaged);
  variant.cycles = pixels * (core.per_pixel +
                             groups * (core.per_group + core.per_tap * static_cast<double>(taps)));
  variant.function.code_bytes = 700;
  variant.progress = tile_progress(window_walk(layer), {});
  return {std::move(variant)};
}

std::vector<KernelVariant> mean_vectors(const LayerView& layer, const VectorCore& core) {
  auto [middle, inner] = mean_extents(layer);
  LanesFamily family = mean_family();
  family.form = "vectors", family.isa = core.isa;
  KernelVariant variant =
      lanes_variant(layer, family, false, {{"middle", middle}, {"inner", inner}});
  variant.function.files.insert(variant.function.files.begin() + 2, "common/lanes_s8.h");
  const int64_t taps = layer.field("axis_a") * layer.field("axis_b");
  auto outputs = static_cast<double>(layer.field("outer") * middle * inner);
  constexpr double kPerOutput = 25, kPerCall = 60, kPerTap = 5;
  const double lanes = inner == 1 ? core.lanes : std::min(core.lanes / 2, 32.0);
  const double calls =
      inner == 1 ? outputs : outputs / static_cast<double>(std::min<int64_t>(inner, 64));
  const double groups = inner == 1
                            ? std::ceil(static_cast<double>(taps) / lanes)
                            : std::ceil(static_cast<double>(std::min<int64_t>(inner, 64)) / lanes) *
                                  static_cast<double>(taps);
  variant.cycles = CostFit{300, 1.4}(outputs * kPerOutput + calls * (kPerCall + groups * kPerTap));
  variant.function.code_bytes = 700;
  variant.progress = unit_progress(layer.field("outer"), taps * middle * inner, middle * inner);
  return {std::move(variant)};
}

}  // namespace

std::vector<KernelVariant> generate_max_pool2d_s8_lanes(const LayerView& layer,
                                                        const LowerOptions& options) {
  return pool_lanes(layer, options, max_pool_family(), true);
}

std::vector<KernelVariant> generate_max_pool2d_s8_mve(const LayerView& layer, const LowerOptions&) {
  return max_pool_vectors(layer, kHelium);
}

std::vector<KernelVariant> generate_max_pool2d_s8_rvv(const LayerView& layer, const LowerOptions&) {
  return max_pool_vectors(layer, kRiscVectors);
}

std::vector<KernelVariant> generate_avg_pool2d_s8_mve(const LayerView& layer, const LowerOptions&) {
  return avg_pool_vectors(layer, kHelium);
}

std::vector<KernelVariant> generate_avg_pool2d_s8_rvv(const LayerView& layer, const LowerOptions&) {
  return avg_pool_vectors(layer, kRiscVectors);
}

std::vector<KernelVariant> generate_mean_s8_mve(const LayerView& layer, const LowerOptions&) {
  return mean_vectors(layer, kHelium);
}

std::vector<KernelVariant> generate_mean_s8_rvv(const LayerView& layer, const LowerOptions&) {
  return mean_vectors(layer, kRiscVectors);
}

std::vector<KernelVariant> generate_avg_pool2d_s8_lanes(const LayerView& layer,
                                                        const LowerOptions& options) {
  return pool_lanes(layer, options, avg_pool_family(), false);
}

std::vector<KernelVariant> generate_mean_s8_lanes(const LayerView& layer,
                                                  const LowerOptions& options) {
  auto [middle, inner] = mean_extents(layer);
  if (!covers(inner, options)) return {};
  LanesFamily family = mean_family();
  KernelVariant variant =
      lanes_variant(layer, family, false, {{"middle", middle}, {"inner", inner}});
  LanesCost cost = lanes_cost(options, false);
  int64_t taps = layer.field("axis_a") * layer.field("axis_b");
  auto groups =
      static_cast<double>(layer.field("outer") * middle * ((inner + kLanes - 1) / kLanes));
  variant.cycles =
      CostFit{cost.pixel, 1.3}(groups * (cost.group + static_cast<double>(taps) * cost.tap));
  variant.function.code_bytes = 600;
  variant.progress = unit_progress(layer.field("outer"), taps * middle * inner, middle * inner);
  return {std::move(variant)};
}

}  // namespace nibble
