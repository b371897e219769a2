// Element types. sN is a signed integer of N bits, uN unsigned. In the graph an element narrower
// than eight bits takes one byte (its value sign-extended); packing happens only in lower/.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace nibble {

enum class DType : uint8_t { kBool, kS1, kS2, kS4, kS8, kS16, kS32, kS64, kU8, kF32 };

// Bytes that one element takes in a Tensor.
int dtype_bytes(DType dtype);
// Value bits of an integer type (1 to 64), 32 for f32.
int dtype_bits(DType dtype);
bool is_integer(DType dtype);
// "s8", "f32", ...
std::string_view dtype_name(DType dtype);
Result<DType> parse_dtype(std::string_view name);
// Smallest and largest value of an integer type.
int64_t dtype_min(DType dtype);
int64_t dtype_max(DType dtype);

}  // namespace nibble
