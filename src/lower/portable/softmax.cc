// softmax_s8 from a table of exp in flash, in plain C for every core
// (kernels/softmax/softmax_s8_table.h).
#include <fmt/format.h>

#include "common/fixed_point.h"
#include "lower/packing.h"
#include "lower/variant.h"

namespace nibble {
namespace {

constexpr int kDiffIntegerBits = 5;       // of the difference in Q5.26
constexpr int32_t kLeastShare = 1 << 11;  // in Q0.31: what the sum in Q12.19 still sees
// As counted on a Cortex-M4: of an element, and beside that of an output that is computed, of a
// row.
constexpr double kPerElem = 35, kPerShare = 35, kPerRow = 360;
constexpr double kOnThumb = 1.7;  // times as much
constexpr int64_t kLongRowsBytes = 300, kShortRowsBytes = 250;

std::vector<int32_t> exp_table(const LayerView& layer) {
  std::vector<int32_t> table;
  auto multiplier = static_cast<int32_t>(layer.field("multiplier"));
  int exponent = layer.int_field("exponent"), diff_min = layer.int_field("diff_min");
  for (int diff = 0; diff >= -255 && diff >= diff_min; --diff) {
    int32_t share =
        nibble_exp_of_negative(nibble_requant_tflite(diff, multiplier, exponent), kDiffIntegerBits);
    if (share < kLeastShare) break;
    table.push_back(share);
  }
  return table;
}

}  // namespace

std::vector<KernelVariant> generate_softmax_s8_table(const LayerView& layer,
                                                     const LowerOptions& options) {
  std::vector<int32_t> table = exp_table(layer);
  auto entries = static_cast<int64_t>(table.size());
  int64_t rows = layer.field("rows"), row_len = layer.field("row_len");
  bool long_rows = row_len > entries;
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = fmt::format("nibble_softmax_s8_table{}", long_rows ? "_long" : "");
  function.isa = "portable";
  function.files = {"common/requant.h", "common/fixed_point.h", "common/nibble_common.h",
                    "softmax/softmax_s8_table.h"};
  function.parameters = {"const int8_t *", "int8_t *"};
  function.text = fmt::format(
      "static void {}(\n    const int8_t *src, int8_t *dst, const int32_t *table, int32_t entries,"
      "\n    int32_t rows, int32_t row_len) {{\n"
      "  nibble_softmax_s8_by_table(src, dst, table, entries, rows, row_len, {});\n}}\n",
      function.name, long_rows ? 1 : 0);
  PackedConstant packed{"exp", "int32_t", {}};
  for (int32_t entry : table) put_word(packed.bytes, static_cast<uint32_t>(entry));
  variant.packed = {std::move(packed)};
  variant.numbers = {entries, rows, row_len};
  variant.in_place = true;
  double shares = static_cast<double>(long_rows ? entries : row_len);
  variant.cycles = (has(options, Isa::kThumb) ? kOnThumb : 1) * static_cast<double>(rows) *
                   (kPerRow + kPerElem * static_cast<double>(row_len) + kPerShare * shares);
  variant.function.code_bytes = long_rows ? kLongRowsBytes : kShortRowsBytes;
  return {std::move(variant)};
}

}  // namespace nibble
