// Number formats other than the integers that targets compute with, emulated: a value becomes the
// nearest one of the format, and is computed with in float. Microcontrollers run none of these;
// what they would win in accuracy is measured beside int8 (survey of formats: doc/quantization.md).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

enum class NumberFormat {
#define NIBBLE_NUMBER_FORMAT(enumerator, name, function, bits, block, what) enumerator,
#include "quantize/formats/number_formats.def"
#undef NIBBLE_NUMBER_FORMAT
};

struct NumberFormatInfo {
  NumberFormat format;
  std::string_view name;
  double bits = 0;  // of one value, with its share of what its block has in common
  int64_t block =
      0;  // values along the innermost axis that have something in common; 0: the tensor
  std::string_view what;
};
std::span<const NumberFormatInfo> number_formats();
const NumberFormatInfo& number_format_info(NumberFormat format);
// Error: no such format, with those that there are.
Result<NumberFormat> find_number_format(std::string_view name);

// Every element of an f32 tensor becomes the format's nearest value, ties to the even encoding,
// magnitudes beyond the largest one to that; NaN stays NaN. max_abs: of the tensor, or of all that
// share its parameters (an activation's over the calibration set). Blocks run along the innermost
// axis; the last one of a row may be short.
void round_to_format(NumberFormat format, Tensor& tensor, double max_abs);
// max |x| over the elements.
double largest_magnitude(const Tensor& tensor);

// --- What the formats are made of.

// A float of few bits: sign, `exponent_bits`, `mantissa_bits` without the hidden one; subnormals;
// no infinities: beyond `max_value` everything is max_value. The smallest exponent of a normal
// number is min_exponent.
struct Minifloat {
  int mantissa_bits = 0;
  int min_exponent = 0;
  double max_value = 0;
};
double round_minifloat(double value, const Minifloat& format);

// x = (-1)^s * 2^(k * 2^es) * 2^e * (1 + f) with a run-length coded k: the posit standard of 2022,
// section 5, its rounding too: never to zero, never beyond the largest value, ties to the even
// encoding. bits at most 16.
double round_posit(double value, int bits, int exponent_bits);

}  // namespace nibble
