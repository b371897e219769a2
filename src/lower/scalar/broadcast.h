// Sums and products whose operands are repeated along axes, row by row: loops in C around a
// function for two rows, or a row and an element, which layers without repetition share.
#pragma once

#include <functional>

#include "lower/variant.h"

namespace nibble {

// Which operands a row of dst has.
struct BroadcastRow {
  int64_t len = 0;
  bool swapped = false;      // src is what the layer calls rhs
  bool rhs_repeats = false;  // one element of rhs for the whole row
};

// Functions for such a row: they take the sources, dst, their constants and numbers, len last.
// Their text is guarded (lower/assembly.h).
using RowGenerator = std::function<std::vector<KernelVariant>(const BroadcastRow& row)>;

// Of a layer of add_broadcast or mul_broadcast, of s8 or s16.
std::vector<KernelVariant> broadcast_rows(const LayerView& layer, const RowGenerator& generate);

// By functions of add_s8: `add` sees the fields of a layer of add_s8 that is one row, with lhs and
// rhs as the layer has them (row.swapped says which of them moves).
using RowAdd = std::function<std::vector<KernelVariant>(const LayerView&, const BroadcastRow&)>;
std::vector<KernelVariant> add_broadcast_rows(const LayerView& layer, const RowAdd& add);

}  // namespace nibble
