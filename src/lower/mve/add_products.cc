// add_s8 on cores with Helium by two products (lower/scalar/add.h), four lanes of 32 bits: seven
// instructions for four elements, or five where the other operand is one element for all. Shifted
// left until it would leave s8, the sum saturates.
#include <tuple>

#include "lower/scalar/add.h"

namespace nibble {
namespace {

// A vector of sums in `lanes`, with the other operand in `other`. q4: the factor of src; r4: that
// of rhs, r5: addend. q5, q6: the clamps.
struct Lanes {
  const char *sum, *other;
};

void load(Assembly& code, const AddProducts& products, const Lanes& lanes) {
  code.op("vldrb.s32 {}, [r0], #4", lanes.sum);
  if (!products.rhs_repeats) code.op("vldrb.s32 {}, [r1], #4", lanes.other);
}

// `products.shift` bits and then 24 - products.shift make the output the highest byte.
void add(Assembly& code, const AddProducts& products, const Lanes& lanes) {
  code.op("vmlas.s32 {}, q4, r5", lanes.sum);
  if (!products.rhs_repeats) code.op("vmla.s32 {}, {}, r4", lanes.sum, lanes.other);
  code.op("vqshl.s32 {0}, {0}, #{1}", lanes.sum, 24 - products.shift);
  code.op("vshr.s32 {0}, {0}, #24", lanes.sum);
  if (products.low > -128) code.op("vmax.s32 {0}, {0}, q5", lanes.sum);
  if (products.high < 127) code.op("vmin.s32 {0}, {0}, q6", lanes.sum);
}

void store(Assembly& code, const Lanes& lanes) { code.op("vstrb.32 {}, [r2], #4", lanes.sum); }

Assembly body(const AddProducts& products) {
  const Lanes first = {"q0", "q1"}, second = {"q2", "q3"};
  Assembly code;
  code.op("push {{r4-r6, lr}}");
  code.op("vpush {{d8-d13}}");
  code.op("ldrd r4, r5, [sp, #64]");
  code.op("ldr r6, [sp, #72]");
  if (products.rhs_repeats) {
    code.op("ldrsb r1, [r1]");
    code.op("mla r5, r1, r4, r5");
  }
  code.op("vdup.32 q4, r3");
  for (auto [clamp, value, vector] : {std::tuple{products.low > -128, products.low, "q5"},
                                      std::tuple{products.high < 127, products.high, "q6"}}) {
    if (!clamp) continue;
    code.op("mov r3, #{}", value);
    code.op("vdup.32 {}, r3", vector);
  }
  code.op("lsr lr, r6, #3");
  code.op("and r6, r6, #7");
  code.op("cmp lr, #0");
  code.op("beq.w 2f");
  // Two vectors at once, so that loads and products overlap.
  code.label(1);
  load(code, products, first);
  load(code, products, second);
  add(code, products, first);
  add(code, products, second);
  store(code, first);
  store(code, second);
  code.op("le lr, 1b");
  code.label(2);
  code.op("wlstp.32 lr, r6, 4f");
  code.label(3);
  load(code, products, first);
  add(code, products, first);
  store(code, first);
  code.op("letp lr, 3b");
  code.label(4);
  code.op("vpop {{d8-d13}}");
  code.op("pop {{r4-r6, pc}}");
  return code;
}

AddCore core_of() {
  AddCore core;
  core.isa = "mve";
  core.condition = "defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)";
  core.body = body;
  // A vector instruction takes two cycles.
  core.cycles_per_elem = 2 * 15.0 / 8;
  core.cycles_less_by_one = 2 * 4.0 / 8;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_add_products_s8_mve(const LayerView& layer,
                                                        const LowerOptions&) {
  return add_by_products(layer, core_of());
}

std::vector<KernelVariant> generate_add_broadcast_products_s8_mve(const LayerView& layer,
                                                                  const LowerOptions&) {
  return add_broadcast_by_products(layer, core_of());
}

}  // namespace nibble
