// What the build generates from kernels/ (kernels/embed.cc), as registry.cc sees it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "lower/lower.h"

namespace nibble {

struct KernelSource {
  std::string_view path;  // below kernels/
  std::string_view text;
};

std::span<const KernelInfo> kernel_table();
std::span<const KernelSource> kernel_source_table();

}  // namespace nibble
