#include "lower/scalar/lookup.h"

#include "common/output_s8.h"

namespace nibble {
namespace {

constexpr int kFirstValue = -128, kLastValue = 127;

std::vector<uint8_t> table_of(const LayerView& layer) {
  std::vector<uint8_t> table(256);
  if (layer.family() == "lookup_s8") {
    std::span<const int8_t> entries = layer.s8("table");
    return {entries.begin(), entries.end()};
  }
  auto get = [&](const char* name) { return static_cast<int32_t>(layer.field(name)); };
  const int32_t low = get("act_min"), high = get("act_max");
  for (int32_t q = kFirstValue; q <= kLastValue; ++q) {
    int32_t entry = layer.family() == "clamp_s8"
                        ? nibble_clamp(q, low, high)
                        : nibble_output_s8(q - get("in_zero"), get("multiplier"), get("exponent"),
                                           get("rounding"), get("out_zero"), low, high);
    table[static_cast<uint8_t>(q)] = static_cast<uint8_t>(entry);
  }
  return table;
}

struct LookupRows {
  int64_t rows = 1, src_step = 0, dst_step = 0, len = 0;
};

LookupRows rows_of(const LayerView& layer) {
  LookupRows rows;
  if (layer.family() != "lookup_s8") {
    rows.len = layer.field("len");
    return rows;
  }
  rows.rows = layer.field("rows"), rows.len = layer.field("row_len");
  rows.src_step = layer.field("src_stride") - rows.len;
  rows.dst_step = layer.field("dst_stride") - rows.len;
  if (rows.rows == 1 || (rows.src_step == 0 && rows.dst_step == 0))
    return {1, 0, 0, rows.rows * rows.len};
  return rows;
}

}  // namespace

std::vector<KernelVariant> lookup_by_table(const LayerView& layer, const LookupCore& core) {
  LookupRows rows = rows_of(layer);
  if (rows.rows < 1 || rows.len < 1) return {};
  CFunction function;
  function.name = fmt::format("nibble_lookup_s8_{}", core.isa);
  function.comment = "dst = table[src], rows of elements";
  function.parameters = {"const int8_t *src", "int8_t *dst",      "const int8_t *table",
                         "int32_t rows",      "int32_t src_step", "int32_t dst_step",
                         "int32_t len"};
  function.condition = core.condition;
  function.arm = !core.isa.starts_with("rv");
  function.body = core.body();
  function.plain_body =
      "  nibble_lookup_s8_rows(src, dst, table, rows, src_step, dst_step, len);\n";
  KernelVariant variant;
  variant.function = {function.name,
                      core.isa,
                      {"common/nibble_common.h", "lookup/lookup_s8_rows.h"},
                      {"const int8_t *", "int8_t *"},
                      false,
                      function_text(function)};
  variant.packed = {{"table", "int8_t", table_of(layer)}};
  variant.numbers = {rows.rows, rows.src_step, rows.dst_step, rows.len};
  variant.in_place = rows.src_step == rows.dst_step;
  variant.cycles = 30 + static_cast<double>(rows.rows) *
                            (15 + core.cycles_per_elem * static_cast<double>(rows.len));
  variant.function.code_bytes =
      static_cast<int64_t>(function.body.count()) * core.bytes_per_instruction;
  return {std::move(variant)};
}

}  // namespace nibble
