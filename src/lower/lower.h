// The public header of lower/: integer graph → Program for a target, and its execution on the host.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "target/target.h"

namespace nibble {

// A field of a kernel's argument struct.
struct KernelField {
  std::string_view name;
  std::string_view ctype;  // "int32_t", "float" or "const int8_t *"
  size_t offset = 0;       // in the argument struct, on the host
  bool is_pointer = false;
};

// A pointer parameter of a kernel, after its argument struct.
struct KernelParameter {
  std::string_view name;   // "src", "rhs", "dst", "scratch"
  std::string_view ctype;  // "const int8_t *", "int8_t *"
  Operand::Role role = Operand::Role::kSrc;
};

// One row of kernels/kernels.def with what the build read from the kernel's header.
struct KernelInfo {
  std::string_view function;  // "nibble_conv2d_s8_ref"
  std::string_view family;    // "conv2d_s8"
  std::string_view folder;    // "conv2d"
  Isa isa = Isa::kPortable;
  std::string_view args_struct;  // "nibble_conv2d_s8_args"
  size_t args_bytes = 0;         // on the host
  std::span<const KernelField> fields;
  std::span<const KernelParameter> parameters;  // in the order of the prototype
  std::span<const std::string_view> files;      // below kernels/, in the order of inclusion
  // Calls the kernel in this process; null for kernels of another instruction set.
  void (*invoke)(const void* args, void* const* pointers) = nullptr;
  // Bytes of its scratch parameter for these arguments; null where it has none.
  int64_t (*scratch_bytes)(const void* args) = nullptr;
};
// Null if there is no such kernel.
const KernelInfo* find_kernel(std::string_view function);
// In the order of kernels.def: the variants of a family by preference.
std::span<const KernelInfo> all_kernels();
// The families that lower/ also writes functions for, shape by shape, with the instruction set.
struct GeneratedKernel {
  std::string_view family;
  Isa isa = Isa::kPortable;
};
std::vector<GeneratedKernel> generated_kernels();
bool has_kernel_source(std::string_view path);
// Text of a file below kernels/ ("conv2d/conv2d_s8.h"), embedded in the program for emit/.
std::string_view kernel_source(std::string_view path);
// Files that a kernel needs, in the order of inclusion.
std::span<const std::string_view> kernel_files(const KernelInfo& kernel);

// The C element type of a tensor in the arena or in flash: "int8_t", "float", ...
std::string_view ctype_of(DType dtype);

// What the choice among the layers' implementations is after: time; time and flash (a kilobyte of
// code for four thousandths of the program's time); flash (for a tenth).
enum class Optimize { kSpeed, kBalanced, kSize };
// "speed", "balanced", "size": the values of --optimize, in this order.
const std::vector<std::string>& optimize_names();
std::string_view optimize_name(Optimize optimize);
// Error: no such name, with those that there are.
Result<Optimize> parse_optimize(std::string_view name);

struct LowerOptions {
  std::vector<Isa> isa;  // of the target; empty: portable only
  std::string core;      // of the target ("cortex-m4"): timing rules
  Optimize optimize = Optimize::kBalanced;
  // Not 0: for each layer any of its implementations, drawn from this seed; for tests.
  uint64_t draw_seed = 0;
  // The kernels of kernels/ alone, none made for a layer; for tests.
  bool reference_only = false;
};
bool has(const LowerOptions& options, Isa isa);
// Whether the target computes floats by instructions.
bool has_float_unit(const LowerOptions& options);
LowerOptions lower_options(const Target& target, Optimize optimize = Optimize::kBalanced);

// `graph` is quantized and verified. Errors: the node whose operator or types have no kernel.
Result<Program> lower(const Graph& graph, const LowerOptions& options = {});

// Bytes of code that a library of the program is predicted to take on such a target: what its
// functions and kernels say of themselves, each once, scaled by what C compilers made of the
// programs in bench/recorded.json. tests/size holds it to a quarter of those, or 600 bytes.
int64_t predicted_code_bytes(const Program& program, const LowerOptions& options);

// Names only kernels, fields, buffers and constants that exist. lower() makes no other Program; one
// read from a file may be anything.
Status verify_program(const Program& program);

// kPortable: the C that the target library falls back to, a link of the equality chain. kFast: the
// same results from this machine's vector unit where it has one, for evaluation and search.
enum class HostKernels { kPortable, kFast };

// Runs a program in this process, in an arena laid out by `offsets` (one
// per buffer; empty: every buffer on its own). Not thread-safe: one per thread.
class HostProgram {
 public:
  // `program` has passed verify_program and outlives this. Every buffer must lie in the arena;
  // whether buffers may share bytes is not judged here (check_plan does).
  explicit HostProgram(const Program& program, std::vector<int64_t> offsets = {},
                       int64_t arena_bytes = 0, HostKernels which = HostKernels::kPortable);
  // Inputs and outputs in the order of the program's ports. `observer` sees the arena's state after
  // each layer (layer_calls): the members of a group run one after the other, whole, and what lies
  // between them has a place behind the arena.
  std::vector<Tensor> run(std::span<const Tensor> inputs);
  // Bytes of a buffer right now (after run: of its last writer).
  std::span<const uint8_t> buffer(int index) const;
  using LayerObserver = std::function<void(size_t layer)>;
  void set_observer(LayerObserver observer) { observer_ = std::move(observer); }

 private:
  uint8_t* address(int buffer, int64_t offset_bytes);
  void invoke(size_t layer);

  const Program& program_;
  std::vector<const KernelCall*> layers_;
  std::vector<bool> in_group_;                           // per layer
  std::vector<const KernelInfo*> kernels_;               // per layer
  std::vector<std::vector<uint64_t>> args_;              // argument structs, pointers resolved
  std::vector<std::function<void(void* const*)>> fast_;  // per layer; empty: the kernel itself
  std::vector<uint64_t> arena_;
  std::vector<uint64_t> scratch_;
  std::vector<int64_t> offsets_;
  LayerObserver observer_;
};

}  // namespace nibble
