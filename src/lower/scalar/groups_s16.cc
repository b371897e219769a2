#include "lower/scalar/groups_s16.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "common/requant.h"
#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr int kStep = 4;  // elements of a window in a round of the inner functions

std::vector<uint8_t> pack_weights(const GroupsLayer& layer, const GroupsKernel& kernel) {
  std::vector<uint8_t> bytes;
  for (int first = 0; first < layer.out_c; first += kernel.lanes)
    for (int tap = 0; tap < layer.len(kStep); ++tap)
      for (int lane = 0; lane < kernel.lanes; ++lane)
        bytes.push_back(static_cast<uint8_t>(layer.weight(first + lane, tap) +
                                             (kernel.unsigned_weights ? 128 : 0)));
  return bytes;
}

std::vector<uint8_t> pack_table(const GroupsLayer& layer, bool is_short) {
  std::vector<uint8_t> bytes;
  for (int channel = 0; channel < layer.out_c; ++channel) {
    auto start = static_cast<uint64_t>(layer.start(channel));
    put_word(bytes, static_cast<uint32_t>(start));
    if (is_short) {
      put_word(bytes, layer.doubled(channel));
      continue;
    }
    put_word(bytes, static_cast<uint32_t>(start >> 32));
    put_word(bytes, static_cast<uint32_t>(layer.multiplier[size_t(channel)]));
    put_word(bytes, static_cast<uint32_t>(int32_t{layer.exponent[size_t(channel)]}));
  }
  return bytes;
}

CFunction block_function(const GroupsCore& core, const GroupsKernel& kernel) {
  CFunction function;
  function.name =
      fmt::format("nibble_groups_s16_{}_block_{}x{}", core.isa, kernel.pixels, kernel.lanes);
  function.comment = fmt::format("{} pixels by {} channels at once", kernel.pixels, kernel.lanes);
  function.parameters = {"const nibble_groups_s16 *args",
                         "nibble_groups_s16_sums kernel",
                         "const int16_t *window",
                         "int32_t pitch",
                         "const uint8_t *weights",
                         "const uint32_t *table",
                         "int16_t *dst",
                         "int32_t step"};
  function.condition = core.condition;
  function.arm = false;
  function.body = kernel.body;
  function.plain_body =
      "  (void)kernel;\n"
      "  nibble_groups_s16_block_plain(args, window, pitch, weights, table, dst, step);\n";
  return function;
}

CFunction sums_function(const GroupsCore& core, const GroupsKernel& kernel) {
  CFunction function;
  function.name = fmt::format("nibble_groups_s16_{}_{}x{}", core.isa, kernel.pixels, kernel.lanes);
  function.comment =
      fmt::format("sums of products, {} pixels by {} channels", kernel.pixels, kernel.lanes);
  function.parameters = {"const int16_t *window", "const uint8_t *weights", "int32_t *sums",
                         "int32_t pitch", "const int16_t *window_end"};
  function.condition = core.condition;
  function.arm = core.isa != "rv32";
  function.body = kernel.body;
  function.plain_body = fmt::format(
      "  nibble_groups_s16_sums_plain(window, weights, sums, pitch, window_end, {}, {}, {});\n",
      kernel.pixels, kernel.lanes, int{kernel.unsigned_weights});
  return function;
}

std::optional<KernelVariant> make_variant(const GroupsLayer& layer, const GroupsCore& core,
                                          const GroupsKernel& kernel) {
  int whole = layer.len(kStep);
  bool is_short = layer.is_short() && layer.segment(kStep, true) == whole;
  int segment = is_short ? whole : layer.segment(kStep, false);
  if (segment == 0 || (kernel.whole_block && !is_short)) return std::nullopt;
  bool in_place = layer.in_place(kStep);
  CFunction sums = kernel.whole_block ? block_function(core, kernel) : sums_function(core, kernel);
  std::string args = fmt::format("{}, {}, {},\n      {{{}, {}, {}, {}, {}, {}, {}, {}, {}}}",
                                 layer.window_fields(), layer.batches, layer.out_h, kernel.pixels,
                                 kernel.lanes, int{kernel.unsigned_weights}, whole, segment,
                                 layer.out_c, layer.low, layer.high, layer.rounding);
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_{}_s16s8_{}_{}x{}_k{}x{}_{}", layer.op, core.isa, layer.in_c,
                              layer.out_c, layer.k_h, layer.k_w, text_hash(args + sums.name));
  function.isa = core.isa;
  function.files = {"common/nibble_common.h",      "common/requant.h",
                    "common/output_s16.h",         "common/copy_s8.h",
                    "common/rescale_s16.h",        "common/window_s16.h",
                    "conv2d/conv2d_s16s8_groups.h"};
  function.parameters = {"const int16_t *", "int16_t *"};
  if (!in_place) function.parameters.push_back("void *");
  function.takes_rows = layer.takes_rows;
  function.text = fmt::format(
      "{0}"
      "static void {1}(\n    const int16_t *src, int16_t *dst,{2} const uint8_t *weights,\n"
      "    const uint32_t *table{3}) {{\n"
      "  static const nibble_conv2d_s16s8_groups_args args = {{\n      {4}}};\n"
      "  nibble_conv2d_s16s8_groups(&args, {5},\n"
      "                             {6}, src, dst, {7}, weights, table, {8});\n}}\n",
      guarded_text(sums), function.name, in_place ? "" : " void *scratch,",
      layer.takes_rows ? ",\n    int32_t first_row, int32_t end_row" : "", args,
      kernel.whole_block ? sums.name
                         : std::string("nibble_groups_s16_block_") + (is_short ? "short" : "long"),
      kernel.whole_block ? "NULL" : sums.name, in_place ? "NULL" : "(int16_t *)scratch",
      layer.takes_rows ? "first_row, end_row" : "0, 1");
  variant.packed = {{"weights", "uint8_t", pack_weights(layer, kernel)},
                    {"table", "uint32_t", pack_table(layer, is_short)}};
  if (!in_place) variant.scratch_bytes = int64_t{2} * kernel.pixels * whole;
  if (layer.out_h * layer.out_w >= kernel.pixels)
    variant.progress = layer.progress(kernel.pixels, !in_place);
  double pixels = static_cast<double>(layer.batches) * layer.out_h * layer.out_w;
  double blocks =
      std::ceil(static_cast<double>(layer.out_h * layer.out_w) / kernel.pixels) * layer.batches;
  if (layer.out_h * layer.out_w < kernel.pixels) blocks = pixels;
  double groups = std::ceil(static_cast<double>(layer.out_c) / kernel.lanes);
  double steps = static_cast<double>(whole) / kStep;
  double outputs = kernel.pixels * kernel.cycles_per_output * (is_short ? 1 : 4);
  double gathered = in_place ? 10 : layer.k_h * 50 + layer.taps() * core.cycles_per_gathered;
  if (kernel.unsigned_weights) gathered += 3.0 * whole;
  variant.cycles =
      core.fit(60 + pixels * gathered +
               blocks * (60 + groups * (kernel.cycles_per_call + steps * kernel.cycles_per_step) +
                         layer.out_c * outputs));
  variant.function.code_bytes =
      static_cast<int64_t>(kernel.body.count()) * core.bytes_per_instruction + 100;
  return variant;
}

}  // namespace

std::optional<GroupsLayer> GroupsLayer::of(const LayerView& view) {
  GroupsLayer layer;
  auto get = [&](const char* name) { return view.int_field(name); };
  std::span<const int8_t> filter = view.s8("filter");
  layer.filter.assign(filter.begin(), filter.end());
  layer.bias = view.s64("bias");
  layer.multiplier = view.s32("multiplier");
  layer.exponent = view.s8("exponent");
  layer.low = get("act_min"), layer.high = get("act_max"), layer.rounding = view.field("rounding");
  if (view.family() == "dense_s16s8") {
    layer.op = "dense";
    layer.in_w = layer.out_w = get("rows"), layer.in_c = get("in_len");
    layer.out_c = get("out_len");
    layer.takes_rows = false;
    return layer;
  }
  bool depthwise = view.family() == "depthwise_conv2d_s16s8";
  if (depthwise ? get("in_c") != 1 : get("groups") != 1) return std::nullopt;
  layer.op = depthwise ? "depthwise_conv2d" : "conv2d";
  layer.batches = get("batches"), layer.in_h = get("in_h"), layer.in_w = get("in_w");
  layer.in_c = get("in_c"), layer.out_h = get("out_h"), layer.out_w = get("out_w");
  layer.out_c = depthwise ? get("channel_multiplier") : get("out_c");
  layer.k_h = get("k_h"), layer.k_w = get("k_w");
  layer.stride_h = get("stride_h"), layer.stride_w = get("stride_w");
  layer.dilation_h = get("dilation_h"), layer.dilation_w = get("dilation_w");
  layer.pad_top = get("pad_top"), layer.pad_left = get("pad_left");
  if (depthwise)
    for (size_t i = 0, channels = static_cast<size_t>(layer.out_c); i < filter.size(); ++i)
      layer.filter[i % channels * (filter.size() / channels) + i / channels] = filter[i];
  return layer;
}

bool GroupsLayer::in_place(int step) const {
  return k_h == 1 && k_w == 1 && stride_h == 1 && stride_w == 1 && pad_top == 0 && pad_left == 0 &&
         out_h == in_h && out_w == in_w && in_c % step == 0;
}

bool GroupsLayer::is_short() const {
  if (rounding != NIBBLE_ROUNDING_REDUCED) return false;
  for (size_t i = 0; i < exponent.size(); ++i)
    if (multiplier[i] != 0 && (exponent[i] > -1 || exponent[i] < -16)) return false;
  return true;
}

uint32_t GroupsLayer::doubled(int channel) const {
  auto i = static_cast<size_t>(channel);
  return multiplier[i] == 0 ? 0 : static_cast<uint32_t>(multiplier[i]) << (17 + exponent[i]);
}

int GroupsLayer::segment(int step, bool with_start) const {
  int longest = len(step);
  for (int channel = 0; channel < out_c; ++channel) {
    int64_t limit = INT32_MAX - (with_start ? std::abs(start(channel)) : 0);
    // Of every stretch of `longest` elements: shortened where one does not fit.
    for (int first = 0; first < taps() && longest > 0; first += longest) {
      int64_t bound = 0;
      for (int tap = first; tap < std::min(taps(), first + longest); ++tap) {
        bound += 32768 * std::abs(int64_t{weight(channel, tap)});
        if (bound <= limit) continue;
        if (with_start) return 0;
        longest = (tap - first) / step * step;
        // All channels and stretches anew.
        channel = -1;
        break;
      }
      if (channel < 0) break;
    }
  }
  return longest;
}

std::string GroupsLayer::window_fields() const {
  return fmt::format("{{{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}}", in_h, in_w, in_c, out_w,
                     k_h, k_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left);
}

std::vector<AccessStep> GroupsLayer::progress(int pixels, bool reads_first) const {
  WindowWalk walk{batches,   in_h,     in_w,     2 * in_c, out_h,   out_w,
                  2 * out_c, stride_h, stride_w, pad_top,  pad_left};
  return run_progress(walk, pixels, reads_first);
}

std::vector<KernelVariant> groups_s16(const LayerView& view, const GroupsCore& core) {
  std::optional<GroupsLayer> layer = GroupsLayer::of(view);
  if (!layer) return {};
  std::vector<KernelVariant> variants;
  for (const GroupsKernel& kernel : core.kernels)
    if (std::optional<KernelVariant> variant = make_variant(*layer, core, kernel))
      variants.push_back(std::move(*variant));
  return variants;
}

}  // namespace nibble
