// Sums of two tensors as two products instead of three rescalings
// (kernels/add/add_s8_products.h).
//
// The exact output is a function of two bytes. Each of the 65536 pairs bounds the addend from both
// sides; where an addend is left, two products give that function. Otherwise neighbouring factors
// are tried.
#pragma once

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

struct AddProducts {
  int64_t lhs_factor = 0, rhs_factor = 0, addend = 0;
  int shift = 0, low = -128, high = 127;
};

// An instruction set's side. The function's arguments: src, rhs, dst, then int32_t lhs_factor,
// rhs_factor, addend, len.
struct AddCore {
  std::string isa, condition;
  Assembly (*body)(const AddProducts& products) = nullptr;
  double cycles_per_elem = 0;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> add_by_products(const LayerView& layer, const AddCore& core);

}  // namespace nibble
