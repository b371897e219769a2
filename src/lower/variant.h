// Kernels that are written per layer: what a generator sees of a layer, what it gives back, and the
// choice among them. A generator computes the same as the family's portable kernel, bit for bit, in
// a function of its own in which shapes are constants and weights lie in the order of its reads.
#pragma once

#include <string_view>
#include <vector>

#include "lower/lower.h"

namespace nibble {

// A layer as a generator sees it: the fields and constants of the family's argument struct, by the
// names in kernels/FOLDER/FAMILY.h.
class LayerView {
 public:
  explicit LayerView(const KernelRequest& request) : request_(request) {}
  const KernelRequest& request() const { return request_; }
  std::string_view family() const { return request_.family; }
  int64_t macs() const { return request_.macs; }
  // A field of the struct. It must exist.
  int64_t field(std::string_view name) const;
  int int_field(std::string_view name) const { return static_cast<int>(field(name)); }
  // A constant of the struct, in the layout of the family's header; null if the layer has none.
  const Tensor* constant(std::string_view name) const;
  std::span<const int8_t> s8(std::string_view name) const;    // must exist
  std::span<const int32_t> s32(std::string_view name) const;  // empty if absent
  std::span<const int64_t> s64(std::string_view name) const;  // empty if absent

 private:
  const KernelRequest& request_;
};

struct PackedConstant {
  std::string role;   // "weights", "requant": part of the C name
  std::string ctype;  // "uint32_t"
  std::vector<uint8_t> bytes;
};

// What counted layers say of a generator's prediction, which knows the loops and not what stands
// around them: cycles = call + factor * predicted.
struct CostFit {
  double call = 0, factor = 1;
  double operator()(double predicted) const { return call + factor * predicted; }
};

// An implementation of one layer.
struct KernelVariant {
  // Functions of equal names must be equal: a name says all that the text depends on. The function
  // takes the family's sources and dst, scratch if scratch_bytes > 0, the packed constants, the
  // numbers, and the rows if it takes them. On the target it is C11 and C++17 without a warning
  // under -Wall -Wextra -Wconversion -Wpedantic, with GCC and Clang; `#if` keeps a plain C body for
  // every other machine.
  KernelFunction function;
  std::vector<PackedConstant> packed;
  // An element-wise function, of a family with a field `len`, takes that as its last number, and
  // computes any part of the elements, from a multiple of 4 on, with the length of the part.
  std::vector<int64_t> numbers;
  int64_t scratch_bytes = 0;         // in the arena, aligned to 8
  bool in_place = false;             // dst may be src[0]
  std::vector<AccessStep> progress;  // as many moments as there are: lower/ thins them out
  int64_t progress_unit = 1;
  std::vector<AccessStep> scratch_progress;  // of a kernel that widens its source, say
  // For the choice: predicted cycles of this call on the target's core.
  double cycles = 0;
  RowCost row_cost;  // of a function that takes rows
};

// All implementations of a layer that a generator offers; empty if the layer is not its business.
using Generator = std::vector<KernelVariant> (*)(const LayerView&, const LowerOptions&);

// A row of generators.def. Isa::kPortable: plain C, for every target.
struct GeneratorInfo {
  std::string_view family;
  Isa isa;
  Generator generate;
};
std::span<const GeneratorInfo> all_generators();

// For each layer of a program the implementation by which the whole is best for `options.optimize`,
// among those that the target can run: a function's code counts once, however many layers call it.
// Nothing where the portable kernel is as good.
std::vector<std::optional<KernelVariant>> choose_variants(std::span<const KernelRequest> requests,
                                                          const LowerOptions& options);

}  // namespace nibble
