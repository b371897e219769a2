// Functions of one s8 element by a table (kernels/lookup/lookup_s8_rows.h): lookup_s8, and
// requantize_s8 and clamp_s8, whose tables are made here. One function serves all layers.
#pragma once

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

// An instruction set's side. The body's arguments: src, dst, table, then int32_t rows, src_step,
// dst_step, len, as kernels/lookup/lookup_s8_rows.h has them.
struct LookupCore {
  std::string isa, condition;
  Assembly (*body)() = nullptr;
  double cycles_per_elem = 0;
  int bytes_per_instruction = 4;
};

std::vector<KernelVariant> lookup_by_table(const LayerView& layer, const LookupCore& core);

}  // namespace nibble
