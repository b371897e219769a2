#include "lower/scalar/add.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "add/add_elem.h"
#include "lower/packing.h"

namespace nibble {
namespace {

constexpr int kValues = 256, kFirstValue = -128;
constexpr int kMostShift = 22, kLeastShift = 16;
constexpr int kTried = 4;  // neighbours of each factor, on each side

nibble_add_scaling scaling_of(const LayerView& layer) {
  auto get = [&](const char* name) { return static_cast<int32_t>(layer.field(name)); };
  nibble_add_scaling scaling;
  scaling.lhs_zero = get("lhs_zero"), scaling.rhs_zero = get("rhs_zero");
  scaling.lhs_multiplier = get("lhs_multiplier"), scaling.lhs_exponent = get("lhs_exponent");
  scaling.rhs_multiplier = get("rhs_multiplier"), scaling.rhs_exponent = get("rhs_exponent");
  scaling.rhs_sign = get("rhs_sign");
  scaling.out_zero = get("out_zero");
  scaling.out_multiplier = get("out_multiplier"), scaling.out_exponent = get("out_exponent");
  scaling.act_min = get("act_min"), scaling.act_max = get("act_max");
  scaling.rounding = get("rounding");
  return scaling;
}

using Outputs = std::array<std::array<int8_t, kValues>, kValues>;

Outputs all_outputs(const nibble_add_scaling& scaling) {
  Outputs outputs;
  for (int lhs = 0; lhs < kValues; ++lhs)
    for (int rhs = 0; rhs < kValues; ++rhs)
      outputs[static_cast<size_t>(lhs)][static_cast<size_t>(rhs)] =
          nibble_add_elem_s8(&scaling, lhs + kFirstValue, rhs + kFirstValue);
  return outputs;
}

// The addend with which the products give all outputs, if there is one and no sum leaves 32 bits.
bool find_addend(const Outputs& outputs, AddProducts& products) {
  int64_t one = int64_t{1} << products.shift;
  int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  for (int lhs = 0; lhs < kValues; ++lhs)
    for (int rhs = 0; rhs < kValues; ++rhs) {
      int64_t sum =
          (lhs + kFirstValue) * products.lhs_factor + (rhs + kFirstValue) * products.rhs_factor;
      int output = outputs[static_cast<size_t>(lhs)][static_cast<size_t>(rhs)];
      if (output > products.low) least = std::max(least, output * one - sum);
      if (output < products.high) most = std::min(most, (output + 1) * one - 1 - sum);
    }
  if (least > most) return false;
  int64_t reach = 128 * (std::abs(products.lhs_factor) + std::abs(products.rhs_factor));
  least = std::max(least, -reach - one * 256), most = std::min(most, reach + one * 256);
  products.addend = least + (most - least) / 2;
  return std::abs(products.addend) + reach <= std::numeric_limits<int32_t>::max();
}

double real_factor(int32_t multiplier, int32_t exponent) {
  return std::ldexp(multiplier, exponent - 31);
}

std::optional<AddProducts> products_of(const LayerView& layer) {
  nibble_add_scaling scaling = scaling_of(layer);
  Outputs outputs = all_outputs(scaling);
  double out = real_factor(scaling.out_multiplier, scaling.out_exponent) * 0x1p20;
  double lhs = real_factor(scaling.lhs_multiplier, scaling.lhs_exponent) * out;
  double rhs = real_factor(scaling.rhs_multiplier, scaling.rhs_exponent) * out * scaling.rhs_sign;
  if (std::max(std::abs(lhs), std::abs(rhs)) > 1 << 12) return std::nullopt;
  AddProducts products;
  products.low = scaling.act_min, products.high = scaling.act_max;
  for (products.shift = kMostShift; products.shift >= kLeastShift; products.shift -= 2)
    for (int i = -kTried; i <= kTried; ++i)
      for (int j = -kTried; j <= kTried; ++j) {
        products.lhs_factor = std::llround(std::ldexp(lhs, products.shift)) + i;
        products.rhs_factor = std::llround(std::ldexp(rhs, products.shift)) + j;
        if (find_addend(outputs, products)) return products;
      }
  return std::nullopt;
}

std::vector<KernelVariant> row_by_products(const LayerView& layer, const BroadcastRow& row,
                                           const AddCore& core) {
  std::optional<AddProducts> products = products_of(layer);
  if (!products) return {};
  if (row.swapped) std::swap(products->lhs_factor, products->rhs_factor);
  products->rhs_repeats = row.rhs_repeats;
  CFunction function;
  function.name = fmt::format("nibble_add_s8_{}{}_{}", core.isa, row.rhs_repeats ? "_by_one" : "",
                              products->shift);
  if (products->low != -128 || products->high != 127)
    function.name += "_" + number_in_name(products->low) + "_" + number_in_name(products->high);
  function.comment = row.rhs_repeats ? "sum of a tensor and one element as two products"
                                     : "sum of two tensors as two products";
  function.parameters = {"const int8_t *src",  "const int8_t *rhs",  "int8_t *dst",
                         "int32_t lhs_factor", "int32_t rhs_factor", "int32_t addend",
                         "int32_t len"};
  function.condition = core.condition;
  function.body = core.body(*products);
  function.arm = core.isa != "rv32";
  function.plain_body = fmt::format(
      "  nibble_add_s8_products(src, rhs, {}, dst, lhs_factor, rhs_factor, addend, len,\n"
      "                         {}, {}, {});\n",
      row.rhs_repeats ? 0 : 1, products->shift, products->low, products->high);
  KernelVariant variant;
  variant.function = {function.name,
                      core.isa,
                      {"common/nibble_common.h", "common/requant.h", "add/add_s8_products.h"},
                      {"const int8_t *", "const int8_t *", "int8_t *"},
                      false,
                      guarded_text(function)};
  variant.numbers = {products->lhs_factor, products->rhs_factor, products->addend, row.len};
  variant.in_place = true;
  const double per_elem = core.cycles_per_elem - (row.rhs_repeats ? core.cycles_less_by_one : 0);
  variant.cycles = 30 + per_elem * static_cast<double>(row.len);
  variant.function.code_bytes =
      static_cast<int64_t>(function.body.count()) * core.bytes_per_instruction + 30;
  return {std::move(variant)};
}

}  // namespace

std::vector<KernelVariant> add_by_products(const LayerView& layer, const AddCore& core) {
  return row_by_products(layer, {layer.field("len"), false, false}, core);
}

std::vector<KernelVariant> add_broadcast_by_products(const LayerView& layer, const AddCore& core) {
  return add_broadcast_rows(layer, [&](const LayerView& row_layer, const BroadcastRow& row) {
    return row_by_products(row_layer, row, core);
  });
}

}  // namespace nibble
