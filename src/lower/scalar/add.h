// Sums of two tensors as two products instead of three rescalings
// (kernels/add/add_s8_products.h).
//
// The exact output is a function of two bytes. Each of the 65536 pairs bounds the addend from both
// sides; where an addend is left, two products give that function. Otherwise neighbouring factors
// are tried.
#pragma once

#include "lower/assembly.h"
#include "lower/scalar/broadcast.h"

namespace nibble {

struct AddProducts {
  int64_t lhs_factor = 0, rhs_factor = 0, addend = 0;
  int shift = 0, low = -128, high = 127;
  bool rhs_repeats = false;  // one element of rhs for all: its product belongs to the addend
};

// An instruction set's side. The function's arguments: src, rhs, dst, then int32_t lhs_factor,
// rhs_factor, addend, len.
struct AddCore {
  std::string isa, condition;
  Assembly (*body)(const AddProducts& products) = nullptr;
  double cycles_per_elem = 0;
  double cycles_less_by_one = 0;  // per element, where rhs is one element
  int bytes_per_instruction = 4;
};

// Of a layer of add_s8.
std::vector<KernelVariant> add_by_products(const LayerView& layer, const AddCore& core);
// Of a layer of add_broadcast_s8, row by row.
std::vector<KernelVariant> add_broadcast_by_products(const LayerView& layer, const AddCore& core);

}  // namespace nibble
