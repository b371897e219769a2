#include "lower/avg_pool_vectors.h"

#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr int64_t kMaxTaps = 256;
// The fields of nibble_avg_pool2d_s8_args, in its order.
constexpr const char* kFields[] = {"batches",  "in_h",      "in_w",       "channels",   "out_h",
                                   "out_w",    "k_h",       "k_w",        "act_min",    "act_max",
                                   "stride_h", "stride_w",  "dilation_h", "dilation_w", "pad_top",
                                   "pad_left", "count_pad", "pad_value"};

}  // namespace

std::vector<KernelVariant> avg_pool_by_vectors(const LayerView& layer, const AvgPoolCore& core) {
  int64_t taps = layer.field("k_h") * layer.field("k_w");
  if (taps > kMaxTaps) return {};
  std::string fields;
  for (const char* field : kFields)
    fields += fmt::format("{}{}", fields.empty() ? "" : ", ", layer.field(field));
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_avg_pool2d_s8_{}_{}x{}x{}_k{}x{}_{}", core.isa,
                              layer.field("in_h"), layer.field("in_w"), layer.field("channels"),
                              layer.field("k_h"), layer.field("k_w"), text_hash(fields));
  function.isa = core.isa;
  function.files = {"common/nibble_common.h", "common/requant.h", "common/window.h",
                    "avg_pool2d/avg_pool2d_s8.h", "avg_pool2d/avg_pool2d_s8_vectors.h"};
  function.parameters = {"const int8_t *", "int8_t *"};
  function.takes_rows = true;
  function.text = fmt::format(
      "static void {}(\n    const int8_t *src, int8_t *dst, int32_t first_row, int32_t end_row) "
      "{{\n"
      "  static const nibble_avg_pool2d_s8_args args = {{\n      {}}};\n"
      "  nibble_avg_pool2d_s8_vectors(&args, src, dst, first_row, end_row);\n}}\n",
      function.name, fields);
  auto pixels =
      static_cast<double>(layer.field("batches") * layer.field("out_h") * layer.field("out_w"));
  auto groups = static_cast<double>((layer.field("channels") + core.channels - 1) / core.channels);
  variant.cycles = pixels * (core.per_pixel +
                             groups * (core.per_group + core.per_tap * static_cast<double>(taps)));
  variant.code_bytes = core.code_bytes;
  variant.progress = tile_progress(window_walk(layer), {});
  return {std::move(variant)};
}

}  // namespace nibble
