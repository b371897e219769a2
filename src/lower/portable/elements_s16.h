// Element-wise functions of two s16 operands, flat or with operands that are repeated: what the
// generators of add_s16, mul_s16 and mul_broadcast_s16 share, for every instruction set.
#pragma once

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

// A function (src, rhs, dst, int32_t len) that may compute in place.
struct ElementFunction {
  std::string name, isa, text;
  std::vector<std::string> files;
  double cycles_per_elem = 0;
  double cycles_per_call = 0;
  int64_t code_bytes = 0;
};

// What the fields of a product say, where they are within reach of the short forms of
// common/rescale_s16.h.
struct ProductText {
  int32_t multiplier = 0;
  int shift = 0;  // -exponent
  int low = -32768, high = 32767;
  bool single = false;

  // multiplier, shift, act_min, act_max, rounding, as C arguments.
  std::string c_fields() const;
};
std::optional<ProductText> product_text(const LayerView& layer, int least_shift);

// The layer's implementation by that function: as it stands for a family with `len`; for a family
// with broadcasting, row by row where both operands lie side by side along the innermost axis, else
// none.
std::vector<KernelVariant> element_variants(const LayerView& layer, const ElementFunction& inner);

}  // namespace nibble
