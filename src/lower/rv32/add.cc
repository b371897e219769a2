// add_s8 on RV32IM: eleven instructions for an element, and a quarter of the loop's.
#include "lower/scalar/add.h"

#include "lower/scalar/broadcast.h"

namespace nibble {
namespace {

constexpr int kUnrolled = 4;

// a0 src, a1 rhs, a2 dst, a3 a4 factors, a5 addend, a6 elements that are left, t2 t3 range.
void elements(Assembly& code, const AddProducts& products, int count) {
  for (int i = 0; i < count; ++i) {
    code.op("lb t0, {}(a0)", i);
    code.op("lb t1, {}(a1)", i);
    code.op("mul t0, t0, a3");
    code.op("mul t1, t1, a4");
    code.op("add t0, t0, a5");
    code.op("add t0, t0, t1");
    code.op("srai t0, t0, {}", products.shift);
    code.op("bge t0, t2, 8f");
    code.op("mv t0, t2");
    code.label(8);
    code.op("ble t0, t3, 9f");
    code.op("mv t0, t3");
    code.label(9);
    code.op("sb t0, {}(a2)", i);
  }
  for (int i = 0; i < 3; ++i) code.op("addi a{0}, a{0}, {1}", i, count);
  code.op("addi a6, a6, {}", -count);
}

Assembly body(const AddProducts& products) {
  Assembly code;
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

}  // namespace

std::vector<KernelVariant> generate_add_s8_rv32(const LayerView& layer, const LowerOptions&) {
  AddCore core;
  core.isa = "rv32";
  core.condition = "defined(__riscv) && __riscv_xlen == 32";
  core.body = body;
  core.cycles_per_elem = 11;
  core.bytes_per_instruction = 4;
  return add_by_products(layer, core);
}

std::vector<KernelVariant> generate_add_broadcast_s8_rv32(const LayerView& layer,
                                                          const LowerOptions& options) {
  return add_broadcast_rows(layer, options, generate_add_s8_rv32);
}

}  // namespace nibble
