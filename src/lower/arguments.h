// The argument struct of a kernel on the host, filled from a call's fields. Inside lower/ only.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lower/lower.h"

namespace nibble {

// "const int8_t *" → "int8_t".
std::string_view pointee(std::string_view pointer_ctype);
int ctype_bytes(std::string_view ctype);

// The bytes of the struct; pointers go to the bytes of `constants`, which must stay where they are.
std::vector<uint64_t> build_args(const KernelInfo& kernel, const KernelCall& call,
                                 const std::vector<ConstantData>& constants);

}  // namespace nibble
