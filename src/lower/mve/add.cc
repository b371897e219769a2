// add_s8 on cores with Helium, eight elements at once. The operand of the larger scale has the
// factor 1/2 and becomes (x - zero) << 19; the other one is (x - zero) << 20, rescaled; then the
// sum is.
#include "common/requant.h"
#include "lower/mve/octet_loop.h"
#include "lower/mve/output_stage.h"
#include "lower/packing.h"
#include "lower/scalar/broadcast.h"

namespace nibble {
namespace {

struct Operand8 {
  int zero = 0;
  int32_t multiplier = 0;
  int exponent = 0;
  int sign = 1;
  bool half() const { return multiplier == 1 << 30 && exponent == 0; }
};

Operand8 operand(const LayerView& layer, const std::string& name) {
  Operand8 result;
  result.zero = layer.int_field(name + "_zero");
  result.multiplier = static_cast<int32_t>(layer.field(name + "_multiplier"));
  result.exponent = layer.int_field(name + "_exponent");
  if (result.multiplier == 0) result.exponent = -1;
  if (name == "rhs") result.sign = layer.int_field("rhs_sign");
  return result;
}

struct AddShape {
  bool lhs_is_half = false, both_half = false;
  Operand8 other, half;
};

// Loads and stores have the predicate of whole vectors at first; what is left over takes another
// turn with its own. (Tail-predicated loops would cut the widened lanes in half.) r0, r1: the
// operands (the halved one in `half`), r2 dst, r4-r9 and r12 the table.
Assembly body(const AddShape& shape, const HeliumOutput& inner, const HeliumOutput& output) {
  std::string other = shape.lhs_is_half ? "r1" : "r0", half = shape.lhs_is_half ? "r0" : "r1";
  Assembly code;
  code.op("push {{r4-r9, lr}}");
  code.op("vpush {{d8-d9}}");
  code.op("mov r12, #8");
  code.op("vctp.16 r12");
  code.op("ldm r3, {{r4-r9, r12}}");
  code.op("ldr r3, [sp, #44]");
  code.op("vmov.i16 q4, #16");
  begin_octets(code);
  code.op("vpstt");
  code.op("vldrbt.s16 q0, [{}], #8", other);
  code.op("vldrbt.s16 q1, [{}], #8", half);
  code.op("vmlas.s16 q0, q4, r4");
  code.op("vadd.i16 q1, q1, r7");
  // The halves of q0 in q2, q3.
  std::string scaled[2];
  const char* lanes[] = {"b", "t"};
  code.op("vshllb.s16 q2, q0, #16");
  code.op("vshllt.s16 q0, q0, #16");
  if (shape.both_half) {
    code.op("vshr.s32 q2, q2, #1");
    code.op("vshr.s32 q0, q0, #1");
    scaled[0] = "q2", scaled[1] = "q0";
  } else {
    scaled[0] = inner.rescale(code, "q2", "q3", "r5", "r6");
    scaled[1] = inner.rescale(code, "q0", scaled[0] == "q2" ? "q3" : "q2", "r5", "r6");
  }
  // The other two of q0, q2, q3.
  std::vector<std::string> free;
  for (const char* q : {"q0", "q2", "q3"})
    if (scaled[0] != q && scaled[1] != q) free.push_back(q);
  if (shape.other.sign < 0)
    for (const std::string& q : scaled) code.op("vneg.s32 {0}, {0}", q);
  code.op("vshl.i16 q1, q1, #3");
  for (size_t i = 0; i < 2; ++i) {
    code.op("vshll{}.s16 {}, q1, #16", lanes[i], free[0]);
    code.op("{1}.i32 {0}, {0}, {2}", scaled[i], shape.half.sign < 0 ? "vsub" : "vadd", free[0]);
  }
  std::string low = output.rescale(code, scaled[0], free[0], "r8", "r9");
  std::string temp = low == scaled[0] ? free[0] : scaled[0];
  std::string high = output.rescale(code, scaled[1], temp, "r8", "r9");
  output.narrow(code, low, high, "q1", "r12");
  code.op("vpst");
  code.op("vstrbt.16 {}, [r2], #8", low);
  end_octets(code);
  code.op("vpop {{d8-d9}}");
  code.op("pop {{r4-r9, pc}}");
  return code;
}

std::vector<uint8_t> table(const LayerView& layer, const AddShape& shape) {
  std::vector<uint8_t> bytes;
  int64_t out_multiplier = layer.field("out_multiplier");
  for (int64_t word :
       {int64_t{-16} * shape.other.zero, int64_t{shape.other.multiplier},
        int64_t{shape.other.exponent}, int64_t{-shape.half.zero}, out_multiplier,
        out_multiplier == 0 ? int64_t{-1} : layer.field("out_exponent"), layer.field("out_zero")})
    put_word(bytes, static_cast<uint32_t>(word));
  return bytes;
}

}  // namespace

std::vector<KernelVariant> generate_add_s8_mve(const LayerView& layer, const LowerOptions&) {
  AddShape shape;
  Operand8 lhs = operand(layer, "lhs"), rhs = operand(layer, "rhs");
  shape.lhs_is_half = lhs.half();
  if (!lhs.half() && !rhs.half()) return {};
  shape.half = lhs.half() ? lhs : rhs;
  shape.other = lhs.half() ? rhs : lhs;
  shape.both_half = shape.other.half();
  bool single = layer.field("rounding") == NIBBLE_ROUNDING_SINGLE;
  HeliumOutput inner = HeliumOutput::rescaling(single);
  std::optional<HeliumOutput> output = HeliumOutput::of_sum(layer);
  if (!output || (!shape.both_half && shape.other.exponent > -1)) return {};
  CFunction function;
  function.name =
      fmt::format("nibble_add_s8_mve_{}_{}{}{}_{}", single ? "s" : "d",
                  shape.both_half     ? "both"
                  : shape.lhs_is_half ? "lhs"
                                      : "rhs",
                  lhs.sign < 0 ? "_m" : "", rhs.sign < 0 ? "_sub" : "", output->form_name());
  function.comment = "Sum of two tensors, eight elements at once.";
  function.parameters = {"const int8_t *src", "const int8_t *rhs", "int8_t *dst",
                         "const int32_t *table", "int32_t len"};
  function.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
  function.body = body(shape, inner, *output);
  function.plain_body = fmt::format(
      "  nibble_add_s8_halved(table, {}, {}, {}, {}, dst, len, {}, {}, {});\n",
      shape.lhs_is_half ? "rhs" : "src", shape.other.sign, shape.lhs_is_half ? "src" : "rhs",
      shape.half.sign, layer.field("act_min"), layer.field("act_max"), layer.field("rounding"));
  KernelVariant variant;
  variant.function = {
      function.name,
      "mve",
      {"common/nibble_common.h", "common/requant.h", "add/add_elem.h", "add/add_s8_halved.h"},
      {"const int8_t *", "const int8_t *", "int8_t *"},
      false,
      guarded_text(function)};
  variant.packed = {{"table", "int32_t", table(layer, shape)}};
  variant.numbers = {layer.field("len")};
  variant.in_place = true;
  double per_eight = static_cast<double>(function.body.count()) - 19;
  variant.cycles = 30 + 2 * per_eight * static_cast<double>(layer.field("len")) / 8;
  variant.function.code_bytes = static_cast<int64_t>(function.body.count()) * 4;
  return {std::move(variant)};
}

std::vector<KernelVariant> generate_add_broadcast_s8_mve(const LayerView& layer,
                                                         const LowerOptions& options) {
  return add_broadcast_rows(
      layer,
      [&](const LayerView& row_layer, const BroadcastRow& row) -> std::vector<KernelVariant> {
        if (row.rhs_repeats) return {};
        return generate_add_s8_mve(row_layer, options);
      });
}

}  // namespace nibble
