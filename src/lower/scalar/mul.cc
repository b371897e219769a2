#include "lower/scalar/mul.h"

#include "common/requant.h"
#include "lower/packing.h"

namespace nibble {
namespace {

MulText text_of(const LayerView& layer, const BroadcastRow& row) {
  MulText text;
  text.single = layer.field("rounding") == NIBBLE_ROUNDING_SINGLE;
  text.low = layer.int_field("act_min"), text.high = layer.int_field("act_max");
  text.away = !text.single && text.low < layer.int_field("out_zero");
  text.rhs_repeats = row.rhs_repeats;
  return text;
}

MulNumbers numbers_of(const LayerView& layer, const BroadcastRow& row) {
  MulNumbers numbers{layer.field("lhs_zero"), layer.field("rhs_zero"), layer.field("multiplier"),
                     layer.field("exponent"), layer.field("out_zero")};
  if (row.swapped) std::swap(numbers.lhs_zero, numbers.rhs_zero);
  if (numbers.multiplier == 0) numbers.exponent = -1;
  return numbers;
}

std::string name_of(const MulText& text, const MulCore& core) {
  std::string name = fmt::format("nibble_mul_s8_{}_{}{}", core.isa,
                                 text.single ? "s"
                                 : text.away ? "d"
                                             : "r",
                                 text.rhs_repeats ? "_by_one" : "");
  if (text.low != -128 || text.high != 127)
    name += "_" + number_in_name(text.low) + "_" + number_in_name(text.high);
  return name + core.suffix;
}

KernelVariant row_variant(const MulText& text, const MulNumbers& numbers, const MulCore& core,
                          int64_t len, int64_t rounding) {
  CFunction function;
  function.name = name_of(text, core);
  function.comment = text.rhs_repeats ? "products of a tensor and one element"
                                      : "products of two tensors, element by element";
  function.parameters = {"const int8_t *src", "const int8_t *rhs", "int8_t *dst",
                         "const int32_t *table", "int32_t len"};
  function.condition = core.condition;
  function.arm = !core.isa.starts_with("rv");
  function.body = core.body(text);
  function.plain_body =
      fmt::format("  nibble_mul_s8_row(src, rhs, {}, dst, table, len, {}, {}, {});\n",
                  text.rhs_repeats ? 0 : 1, text.low, text.high, rounding);
  KernelVariant variant;
  variant.function = {
      function.name,
      core.isa,
      {"common/nibble_common.h", "common/requant.h", "mul/mul_elem.h", "mul/mul_s8_row.h"},
      {"const int8_t *", "const int8_t *", "int8_t *"},
      false,
      guarded_text(function)};
  std::vector<int64_t> words = {numbers.lhs_zero, numbers.rhs_zero, numbers.multiplier,
                                numbers.exponent, numbers.out_zero};
  if (core.words) {
    std::vector<int64_t> more = core.words(text, numbers);
    words.insert(words.end(), more.begin(), more.end());
  }
  PackedConstant table{"table", "int32_t", {}};
  for (int64_t word : words) put_word(table.bytes, static_cast<uint32_t>(word));
  variant.packed = {std::move(table)};
  variant.numbers = {len};
  variant.in_place = true;
  variant.cycles = core.cycles_per_call + core.cycles_per_elem * static_cast<double>(len);
  variant.function.code_bytes =
      static_cast<int64_t>(function.body.count()) * core.bytes_per_instruction + 20;
  return variant;
}

}  // namespace

std::vector<KernelVariant> mul_rows(const LayerView& layer, const MulCore& core) {
  auto generate = [&](const BroadcastRow& row) -> std::vector<KernelVariant> {
    MulNumbers numbers = numbers_of(layer, row);
    if (numbers.exponent < core.least_exponent || numbers.exponent > core.most_exponent) return {};
    return {row_variant(text_of(layer, row), numbers, core, row.len, layer.field("rounding"))};
  };
  if (layer.family() == "mul_broadcast_s8") return broadcast_rows(layer, generate);
  return generate({layer.field("len"), false, false});
}

std::vector<int64_t> high_product_words(const MulText& text, const MulNumbers& numbers) {
  // The high product has one fractional bit more than acc * multiplier / 2^31.
  const int64_t shift = 1 - numbers.exponent;
  const int64_t half = int64_t{1} << (shift - 1);
  return {numbers.out_zero * 2 * half + half + (text.single ? 0 : 1), shift};
}

}  // namespace nibble
