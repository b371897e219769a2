// add_s16, mul_s16 and mul_broadcast_s16 on cores with RISC-V vectors, 32 elements at once. An
// operand of a sum is its element << 15, rescaled; where its factor is 1/2, << 14. Rescaling as in
// lower/rvv/output_stage.h, all factors constants of the text.
#include "lower/portable/elements_s16.h"

#include "common/requant.h"
#include "lower/packing.h"
#include "lower/rvv/block_kernel.h"

namespace nibble {
namespace {

struct Factor {
  int64_t multiplier = 0;
  int shift = 0;
  bool half() const { return multiplier == 1 << 30 && shift == 0; }
};

Factor factor_of(const LayerView& layer, const std::string& side) {
  return {layer.field(side + "_multiplier"), -layer.int_field(side + "_exponent")};
}

bool covered(const Factor& factor) {
  return factor.multiplier >= 1 << 30 && factor.shift >= 1 && factor.shift <= 30;
}

// `v` := rescaled; v24 is free.
void rescale(Assembly& code, bool single, const char* v, const char* multiplier, int shift) {
  VectorOutput::rescaling(single).rescale(code, {v}, "v24", multiplier, [&] {
    code.op("li t2, {}", shift);
    return std::string("t2");
  });
}

// 32-bit results in v8 → dst, and on to the next elements.
void finish(Assembly& code, int low, int high) {
  code.op("vsetvli zero, zero, e16, m4, ta, ma");
  code.op("vnclip.wi v0, v8, 0");
  auto limit = [&](const char* op, int value) {
    code.op("li t2, {}", value);
    code.op("{}.vx v0, v0, t2", op);
  };
  if (low != -32768) limit("vmax", low);
  if (high != 32767) limit("vmin", high);
  code.op("vse16.v v0, (a2)");
  code.op("sub a3, a3, t0");
  code.op("slli t0, t0, 1");
  for (const char* reg : {"a0", "a1", "a2"}) code.op("add {0}, {0}, t0", reg);
  code.op("bnez a3, 1b");
  code.label(2);
  code.op("ret");
}

ElementFunction element_function(const std::string& what, const Assembly& body,
                                 const std::string& fields, const std::string& plain_body,
                                 const std::string& header) {
  CFunction function;
  function.name = fmt::format("nibble_{}_s16_rvv_{}", what, text_hash(fields));
  function.comment = fmt::format("{} of s16, 32 elements at once", what);
  function.parameters = {"const int16_t *src", "const int16_t *rhs", "int16_t *dst", "int32_t len"};
  function.condition = "defined(__riscv_v)";
  function.arm = false;
  function.body = body;
  function.plain_body = plain_body;
  ElementFunction inner;
  inner.name = function.name;
  inner.isa = "rvv";
  inner.text = function_text(function);
  inner.files = {"common/nibble_common.h", "common/requant.h", "common/rescale_s16.h", header};
  inner.cycles_per_elem = static_cast<double>(body.count()) / 32;
  inner.cycles_per_call = 20;
  inner.code_bytes = 4 * static_cast<int64_t>(body.count());
  return inner;
}

}  // namespace

std::vector<KernelVariant> generate_mul_s16_rvv(const LayerView& layer, const LowerOptions&) {
  std::optional<ProductText> text = product_text(layer, 1);
  if (!text) return {};
  Assembly code;
  code.op("li a4, {}", text->multiplier);
  code.op("csrwi vxrm, 0");
  code.op("beqz a3, 2f");
  code.label(1);
  code.op("vsetvli t0, a3, e16, m4, ta, ma");
  code.op("vle16.v v0, (a0)");
  code.op("vle16.v v4, (a1)");
  code.op("vwmul.vv v8, v0, v4");
  code.op("vsetvli zero, zero, e32, m8, ta, ma");
  rescale(code, text->single, "v8", "a4", text->shift);
  finish(code, text->low, text->high);
  std::string plain =
      fmt::format("  nibble_mul_s16_plain(src, rhs, dst, len, {});\n", text->c_fields());
  return element_variants(
      layer, element_function("mul", code, text->c_fields(), plain, "mul/mul_s16_plain.h"));
}

std::vector<KernelVariant> generate_add_s16_rvv(const LayerView& layer, const LowerOptions&) {
  Factor lhs = factor_of(layer, "lhs"), rhs = factor_of(layer, "rhs"),
         out = factor_of(layer, "out");
  if (!covered(out) || (!lhs.half() && !covered(lhs)) || (!rhs.half() && !covered(rhs))) return {};
  bool single = layer.field("rounding") == NIBBLE_ROUNDING_SINGLE;
  Assembly code;
  code.op("li a4, {}", lhs.multiplier);
  code.op("li a5, {}", rhs.multiplier);
  code.op("li a6, {}", out.multiplier);
  code.op("csrwi vxrm, 0");
  code.op("beqz a3, 2f");
  code.label(1);
  code.op("vsetvli t0, a3, e32, m8, ta, ma");
  code.op("vle16.v v0, (a0)");
  code.op("vle16.v v4, (a1)");
  auto operand = [&](const char* v, const char* from, const char* multiplier, const Factor& side) {
    code.op("vsext.vf2 {}, {}", v, from);
    code.op("vsll.vi {0}, {0}, {1}", v, side.half() ? 14 : 15);
    if (!side.half()) rescale(code, single, v, multiplier, side.shift);
  };
  operand("v8", "v0", "a4", lhs);
  operand("v16", "v4", "a5", rhs);
  code.op("{}.vv v8, v8, v16", layer.field("rhs_sign") < 0 ? "vsub" : "vadd");
  rescale(code, single, "v8", "a6", out.shift);
  finish(code, layer.int_field("act_min"), layer.int_field("act_max"));
  auto c_factor = [](const Factor& factor) {
    return fmt::format("{{{}, {}}}", factor.multiplier, factor.shift);
  };
  std::string plain = fmt::format(
      "  const nibble_add_factor_s16 lhs_factor = {}, rhs_factor = {},\n"
      "                              out_factor = {};\n"
      "  nibble_add_s16_plain(src, rhs, dst, len, lhs_factor, rhs_factor, {}, out_factor, {}, {}, "
      "{});\n",
      c_factor(lhs), c_factor(rhs), c_factor(out), layer.field("rhs_sign"), layer.field("act_min"),
      layer.field("act_max"), layer.field("rounding"));
  return element_variants(layer,
                          element_function("add", code, plain, plain, "add/add_s16_plain.h"));
}

}  // namespace nibble
