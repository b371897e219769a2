// add_s8 on cores with RISC-V vectors, 32 elements at once: each operand becomes (x - zero) << 20,
// rescaled; where its factor is 1/2, (x - zero) << 19. Then the sum is rescaled.
#include "common/requant.h"
#include "lower/packing.h"
#include "lower/rvv/block_kernel.h"
#include "lower/scalar/broadcast.h"

namespace nibble {
namespace {

constexpr int64_t kElems = 32;  // 32-bit lanes of eight registers

struct AddOperand {
  int64_t zero = 0, multiplier = 0, exponent = 0;
  bool half() const { return multiplier == 1 << 30 && exponent == 0; }
};

AddOperand operand(const LayerView& layer, const std::string& name) {
  AddOperand result{layer.field(name + "_zero"), layer.field(name + "_multiplier"),
                    layer.field(name + "_exponent")};
  if (result.multiplier == 0) result.exponent = -1;
  return result;
}

// The table's words in registers: zero, multiplier and shift of each operand, then of the sum.
struct OperandRegisters {
  std::string bytes, zero, multiplier, shift;
};

// `to` := the operand, at the sum's scale; v24 is free.
void scale_operand(Assembly& code, const VectorOutput& inner, const OperandRegisters& regs,
                   bool half, const std::string& to) {
  code.op("vsext.vf4 {}, {}", to, regs.bytes);
  code.op("vsub.vx {0}, {0}, {1}", to, regs.zero);
  code.op("vsll.vi {0}, {0}, {1}", to, half ? 19 : 20);
  if (!half) inner.rescale(code, {to}, "v24", regs.multiplier, [&] { return regs.shift; });
}

// a0, a1: the operands (a0 the layer's rhs if they are swapped; a1 one element if that repeats), a2
// dst, a3 the table, then free, a4 what is left.
Assembly body(bool lhs_half, bool rhs_half, bool subtract, const BroadcastRow& row,
              const VectorOutput& inner, const VectorOutput& output) {
  OperandRegisters lhs{"v0", "a5", "a6", "a7"}, rhs{"v2", "t1", "t2", "t3"};
  if (row.swapped) std::swap(lhs.bytes, rhs.bytes);
  Assembly code;
  int word = 0;
  for (const char* reg : {"a5", "a6", "a7", "t1", "t2", "t3", "t4", "t5"})
    code.op("lw {}, {}(a3)", reg, 4 * word++);
  output.begin(code);
  code.label(1);
  code.op("vsetvli t0, a4, e32, m8, ta, ma");
  code.op("vle8.v v0, (a0)");
  if (row.rhs_repeats)
    code.op("vlse8.v v2, (a1), zero");
  else
    code.op("vle8.v v2, (a1)");
  scale_operand(code, inner, lhs, lhs_half, "v8");
  scale_operand(code, inner, rhs, rhs_half, "v16");
  code.op("{}.vv v8, v8, v16", subtract ? "vsub" : "vadd");
  output.rescale(code, {"v8"}, "v24", "t4", [] { return std::string("t5"); });
  code.op("vsetvli zero, zero, e16, m4, ta, ma");
  code.op("vnclip.wi v0, v8, 0");
  output.add_zero(code, "v0", "a3");
  code.op("vsetvli zero, zero, e8, m2, ta, ma");
  code.op("vnclip.wi v4, v0, 0");
  code.op("vse8.v v4, (a2)");
  code.op("add a0, a0, t0");
  if (!row.rhs_repeats) code.op("add a1, a1, t0");
  code.op("add a2, a2, t0");
  code.op("sub a4, a4, t0");
  code.op("bnez a4, 1b");
  code.op("ret");
  return code;
}

std::vector<uint8_t> table(const LayerView& layer, const AddOperand& lhs, const AddOperand& rhs) {
  std::vector<uint8_t> bytes;
  int64_t multiplier = layer.field("out_multiplier");
  int64_t exponent = multiplier == 0 ? -1 : layer.field("out_exponent");
  for (int64_t word : {lhs.zero, lhs.multiplier, -lhs.exponent, rhs.zero, rhs.multiplier,
                       -rhs.exponent, multiplier, -exponent})
    put_word(bytes, static_cast<uint32_t>(word));
  return bytes;
}

std::vector<KernelVariant> row_variants(const LayerView& layer, const BroadcastRow& row) {
  AddOperand lhs = operand(layer, "lhs"), rhs = operand(layer, "rhs");
  bool single = layer.field("rounding") == NIBBLE_ROUNDING_SINGLE;
  bool subtract = layer.field("rhs_sign") < 0;
  std::optional<VectorOutput> output = VectorOutput::of_sum(layer);
  for (const AddOperand& side : {lhs, rhs})
    if (!side.half() && side.exponent > -1) return {};
  if (!output || row.len < 1) return {};
  CFunction function;
  function.name =
      fmt::format("nibble_add_s8_rvv_{}{}{}{}{}{}_{}", single ? "s" : "d", lhs.half() ? "_lhs" : "",
                  rhs.half() ? "_rhs" : "", subtract ? "_sub" : "",
                  row.rhs_repeats ? "_by_one" : "", row.swapped ? "_swapped" : "", output->name());
  function.comment = "Sum of two tensors, 32 elements at once.";
  function.parameters = {"const int8_t *src", "const int8_t *rhs", "int8_t *dst",
                         "const int32_t *table", "int32_t len"};
  function.condition = "defined(__riscv_v)";
  function.arm = false;
  function.body =
      body(lhs.half(), rhs.half(), subtract, row, VectorOutput::rescaling(single), *output);
  const char* other = row.rhs_repeats ? "rhs[0]" : "rhs[i]";
  function.plain_body = fmt::format(
      "  nibble_add_scaling cfg = {{table[0], table[1], -table[2], table[3], table[4], -table[5],\n"
      "      {}, {}, table[6], -table[7], {}, {}, {}}};\n"
      "  for (int32_t i = 0; i < len; ++i) dst[i] = nibble_add_elem_s8(&cfg, {}, {});\n",
      subtract ? -1 : 1, layer.field("out_zero"), layer.field("act_min"), layer.field("act_max"),
      layer.field("rounding"), row.swapped ? other : "src[i]", row.swapped ? "src[i]" : other);
  KernelVariant variant;
  variant.function = {function.name,
                      "rvv",
                      {"common/nibble_common.h", "common/requant.h", "add/add_elem.h"},
                      {"const int8_t *", "const int8_t *", "int8_t *"},
                      false,
                      guarded_text(function)};
  variant.packed = {{"table", "int32_t", table(layer, lhs, rhs)}};
  variant.numbers = {row.len};
  variant.in_place = true;
  auto instructions = static_cast<double>(function.body.count());
  double turns = static_cast<double>((row.len + kElems - 1) / kElems);
  variant.cycles = 10 + (instructions - 10) * turns;
  variant.function.code_bytes = static_cast<int64_t>(instructions) * 4;
  return {std::move(variant)};
}

}  // namespace

std::vector<KernelVariant> generate_add_s8_rvv(const LayerView& layer, const LowerOptions&) {
  return row_variants(layer, {layer.field("len"), false, false});
}

std::vector<KernelVariant> generate_add_broadcast_s8_rvv(const LayerView& layer,
                                                         const LowerOptions&) {
  return add_broadcast_rows(layer, row_variants);
}

}  // namespace nibble
