// Sums and products of s16 in plain C in which all factors are constants (common/rescale_s16.h).
#include "lower/portable/elements_s16.h"

#include <algorithm>

#include "common/requant.h"
#include "lower/assembly.h"
#include "lower/packing.h"
#include "lower/scalar/broadcast.h"
#include "lower/variant.h"

namespace nibble {
namespace {

constexpr int kMostShift = 30;  // of sums with half a step, in 32 bits

ElementFunction plain_function(const std::string& what, const std::string& arguments,
                               const LowerOptions& options, int multiplications) {
  ElementFunction inner;
  inner.name = fmt::format("nibble_{}_s16_plain_{}", what, text_hash(arguments));
  inner.isa = "portable";
  inner.text = fmt::format(
      "static NIBBLE_UNUSED void {0}(\n    const int16_t *src, const int16_t *rhs, int16_t *dst, "
      "int32_t len) {{\n  nibble_{1}_s16_plain(src, rhs, dst, len, {2});\n}}\n",
      inner.name, what, arguments);
  inner.files = {"common/nibble_common.h", "common/requant.h", "common/rescale_s16.h",
                 fmt::format("{0}/{0}_s16_plain.h", what)};
  // Of a multiplication to 64 bits with its rounding, and of what is around it.
  inner.cycles_per_elem = has(options, Isa::kThumb)  ? 14 + 26 * multiplications
                          : has(options, Isa::kRv32) ? 12 + 12 * multiplications
                                                     : 14 + 8 * multiplications;
  inner.cycles_per_call = 20;
  inner.code_bytes = 40 + (has(options, Isa::kThumb) ? 60 : 30) * multiplications;
  return inner;
}

// A factor of a sum as its C initializer; nothing beyond the reach of common/rescale_s16.h.
std::optional<std::string> sum_factor(const LayerView& layer, const std::string& side) {
  int64_t multiplier = layer.field(side + "_multiplier"), shift = -layer.field(side + "_exponent");
  if (multiplier < 1 << 30 || shift < 0 || shift > kMostShift) return std::nullopt;
  return fmt::format("{}_factor", side) + fmt::format(" = {{{}, {}}}", multiplier, shift);
}

}  // namespace

std::string ProductText::c_fields() const {
  return fmt::format("{}, {}, {}, {}, {}", multiplier, shift, low, high,
                     single ? int{NIBBLE_ROUNDING_SINGLE} : int{NIBBLE_ROUNDING_TFLITE});
}

std::optional<ProductText> product_text(const LayerView& layer, int least_shift) {
  ProductText text;
  text.multiplier = static_cast<int32_t>(layer.field("multiplier"));
  text.shift = -layer.int_field("exponent");
  text.low = layer.int_field("act_min"), text.high = layer.int_field("act_max");
  text.single = layer.field("rounding") == NIBBLE_ROUNDING_SINGLE;
  if (text.multiplier < 1 << 30 || text.shift < least_shift || text.shift > kMostShift)
    return std::nullopt;
  return text;
}

std::vector<KernelVariant> element_variants(const LayerView& layer, const ElementFunction& inner) {
  auto generate = [&](const BroadcastRow& row) -> std::vector<KernelVariant> {
    if (row.rhs_repeats) return {};
    KernelVariant variant;
    variant.function = {inner.name,  inner.isa,
                        inner.files, {"const int16_t *", "const int16_t *", "int16_t *"},
                        false,       defined_once(inner.name, inner.text)};
    variant.numbers = {row.len};
    variant.in_place = true;
    variant.cycles = inner.cycles_per_call + inner.cycles_per_elem * static_cast<double>(row.len);
    variant.function.code_bytes = inner.code_bytes;
    return {std::move(variant)};
  };
  if (layer.family().find("broadcast") != std::string_view::npos)
    return broadcast_rows(layer, generate);
  return generate({layer.field("len"), false, false});
}

std::vector<KernelVariant> generate_mul_s16_plain(const LayerView& layer,
                                                  const LowerOptions& options) {
  std::optional<ProductText> text = product_text(layer, 0);
  if (!text) return {};
  return element_variants(layer, plain_function("mul", text->c_fields(), options, 1));
}

std::vector<KernelVariant> generate_add_s16_plain(const LayerView& layer,
                                                  const LowerOptions& options) {
  std::optional<std::string> lhs = sum_factor(layer, "lhs"), rhs = sum_factor(layer, "rhs"),
                             out = sum_factor(layer, "out");
  if (!lhs || !rhs || !out) return {};
  std::string fields =
      fmt::format("lhs_factor, rhs_factor, {}, out_factor, {}, {}, {}", layer.field("rhs_sign"),
                  layer.field("act_min"), layer.field("act_max"), layer.field("rounding"));
  ElementFunction inner = plain_function("add", *lhs + *rhs + *out + fields, options, 2);
  inner.text = fmt::format(
      "static NIBBLE_UNUSED void {0}(\n    const int16_t *src, const int16_t *rhs, int16_t *dst, "
      "int32_t len) {{\n"
      "  const nibble_add_factor_s16 {1}, {2},\n                              {3};\n"
      "  nibble_add_s16_plain(src, rhs, dst, len, {4});\n}}\n",
      inner.name, *lhs, *rhs, *out, fields);
  return element_variants(layer, inner);
}

}  // namespace nibble
