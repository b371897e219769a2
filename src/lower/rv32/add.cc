// add_s8 on RV32IM: eleven instructions for an element, or eight where the other operand is one
// element for all, and a quarter of the loop's.
#include "lower/scalar/add.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 4;

// a0 src, a1 rhs, a2 dst, a3 a4 factors, a5 addend, a6 elements that are left, t2 t3 range.
void elements(Assembly& code, const AddProducts& products, int count) {
  for (int i = 0; i < count; ++i) {
    code.op("lb t0, {}(a0)", i);
    if (!products.rhs_repeats) code.op("lb t1, {}(a1)", i);
    code.op("mul t0, t0, a3");
    if (!products.rhs_repeats) code.op("mul t1, t1, a4");
    code.op("add t0, t0, a5");
    if (!products.rhs_repeats) code.op("add t0, t0, t1");
    code.op("srai t0, t0, {}", products.shift);
    code.op("bge t0, t2, 8f");
    code.op("mv t0, t2");
    code.label(8);
    code.op("ble t0, t3, 9f");
    code.op("mv t0, t3");
    code.label(9);
    code.op("sb t0, {}(a2)", i);
  }
  for (int i = 0; i < 3; ++i)
    if (i != 1 || !products.rhs_repeats) code.op("addi a{0}, a{0}, {1}", i, count);
  code.op("addi a6, a6, {}", -count);
}

Assembly body(const AddProducts& products) {
  Assembly code;
  if (products.rhs_repeats) {
    code.op("lb t1, 0(a1)");
    code.op("mul t1, t1, a4");
    code.op("add a5, a5, t1");
  }
  code.op("li t2, {}", products.low);
  code.op("li t3, {}", products.high);
  code.op("li t4, {}", kUnrolled);
  code.op("blt a6, t4, 2f");
  code.label(1);
  elements(code, products, kUnrolled);
  code.op("bge a6, t4, 1b");
  code.label(2);
  code.op("beqz a6, 4f");
  code.label(3);
  elements(code, products, 1);
  code.op("bnez a6, 3b");
  code.label(4);
  code.op("ret");
  return code;
}

AddCore core_of() {
  AddCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.body = body;
  core.cycles_per_elem = 11;
  core.bytes_per_instruction = 4;
  core.cycles_less_by_one = 3;
  return core;
}

}  // namespace

std::vector<KernelVariant> generate_add_s8_rv32(const LayerView& layer, const LowerOptions&) {
  return add_by_products(layer, core_of());
}

std::vector<KernelVariant> generate_add_broadcast_s8_rv32(const LayerView& layer,
                                                          const LowerOptions&) {
  return add_broadcast_by_products(layer, core_of());
}

}  // namespace nibble
