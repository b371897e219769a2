// The kernels that the build knows, by function name, and their text for emit/.
#include "base/check.h"
#include "lower/kernel_table.h"

namespace nibble {

std::span<const KernelInfo> all_kernels() { return kernel_table(); }

const KernelInfo* find_kernel(std::string_view function) {
  for (const KernelInfo& kernel : kernel_table())
    if (kernel.function == function) return &kernel;
  return nullptr;
}

bool has_kernel_source(std::string_view path) {
  for (const KernelSource& source : kernel_source_table())
    if (source.path == path) return true;
  return false;
}

std::string_view kernel_source(std::string_view path) {
  for (const KernelSource& source : kernel_source_table())
    if (source.path == path) return source.text;
  NIBBLE_UNREACHABLE("no kernel file {}", path);
}

std::span<const std::string_view> kernel_files(const KernelInfo& kernel) { return kernel.files; }

}  // namespace nibble
