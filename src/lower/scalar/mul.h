// Products of two tensors, and of a tensor and a repeated operand (kernels/mul/mul_s8_row.h): what
// instruction sets share.
#pragma once

#include "lower/assembly.h"
#include "lower/scalar/broadcast.h"

namespace nibble {

// What a function's text depends on.
struct MulText {
  bool single = false;       // rounding; else that of tflite
  bool away = false;         // negative ties are rounded away from zero, and not clamped away
  bool rhs_repeats = false;  // rhs is one element
  int low = -128, high = 127;
};

// A layer's numbers, the operands in the order in which the function takes them.
struct MulNumbers {
  int64_t lhs_zero = 0, rhs_zero = 0, multiplier = 0, exponent = 0, out_zero = 0;
};

// An instruction set's side. The body's arguments: src, rhs, dst, table, int32_t len.
struct MulCore {
  std::string isa, condition;
  std::function<Assembly(const MulText& text)> body;
  // What stands in the table from its sixth word on.
  std::function<std::vector<int64_t>(const MulText& text, const MulNumbers& numbers)> words;
  // Exponents that it covers, of multipliers other than 0.
  int64_t least_exponent = -31, most_exponent = -1;
  double cycles_per_elem = 0, cycles_per_call = 30;
  int bytes_per_instruction = 4;
  std::string suffix;  // of the function's name, for what else the text depends on
};

// Of a layer of mul_s8 or mul_broadcast_s8.
std::vector<KernelVariant> mul_rows(const LayerView& layer, const MulCore& core);

// The addend and the shift with which (floor(4 acc multiplier / 2^32) - (away, acc < 0 ? 2 : 0) +
// addend) >> shift is the output (form `high` of kernels/common/rescale_s8.h), for exponents from
// -22 to -1.
std::vector<int64_t> high_product_words(const MulText& text, const MulNumbers& numbers);

}  // namespace nibble
