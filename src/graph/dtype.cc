// Names, sizes and ranges of the element types.
#include "graph/dtype.h"

#include <array>
#include <string>

namespace nibble {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int bytes;
  int bits;
  bool integer;
};

constexpr std::array<DTypeInfo, 10> kDTypes = {{
    {DType::kBool, "bool", 1, 1, false},
    {DType::kS1, "s1", 1, 1, true},
    {DType::kS2, "s2", 1, 2, true},
    {DType::kS4, "s4", 1, 4, true},
    {DType::kS8, "s8", 1, 8, true},
    {DType::kS16, "s16", 2, 16, true},
    {DType::kS32, "s32", 4, 32, true},
    {DType::kS64, "s64", 8, 64, true},
    {DType::kU8, "u8", 1, 8, true},
    {DType::kF32, "f32", 4, 32, false},
}};

const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<size_t>(dtype)]; }

}  // namespace

int dtype_bytes(DType dtype) { return info(dtype).bytes; }
int dtype_bits(DType dtype) { return info(dtype).bits; }
bool is_integer(DType dtype) { return info(dtype).integer; }
std::string_view dtype_name(DType dtype) { return info(dtype).name; }

Result<DType> parse_dtype(std::string_view name) {
  for (const auto& row : kDTypes)
    if (row.name == name) return row.dtype;
  return input_error("unknown element type '" + std::string(name) +
                     "'; known: bool s1 s2 s4 s8 s16 s32 s64 u8 f32");
}

int64_t dtype_min(DType dtype) {
  if (dtype == DType::kU8 || dtype == DType::kBool) return 0;
  if (dtype == DType::kS1) return -1;
  return -(int64_t{1} << (dtype_bits(dtype) - 2)) *
         2;  // two steps, so that 64 bits do not overflow
}

int64_t dtype_max(DType dtype) {
  if (dtype == DType::kU8) return 255;
  if (dtype == DType::kBool) return 1;
  if (dtype == DType::kS1) return 1;  // binary networks use {-1, +1}
  return -(dtype_min(dtype) + 1);
}

}  // namespace nibble
