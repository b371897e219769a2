// The second IR: a flat list of kernel calls over buffers, with constants as the kernels read them.
// Made by lower/, planned by plan/, printed as C by emit/, executed on the host by lower/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "graph/ir.h"

namespace nibble {

// What ops/ asks of lower/: a family of kernels ("conv2d_s8"), the values of its argument fields by
// the names in the kernel's header, and the constants in the graph's own layout. lower/ picks the
// variant for the target, lets it pack the constants and adds its scratch.
struct KernelRequest {
  std::string family;
  std::vector<std::pair<std::string, int64_t>> fields;
  std::vector<std::pair<std::string, Tensor>> constants;  // by field name
  std::vector<ValueId> src;                               // by position in the kernel's prototype
  ValueId dst = kNoValue;
  int64_t dst_offset_bytes = 0;  // a slice of dst (concat)
  bool in_place = false;         // the kernel may read src[0] and write dst at the same address
  int64_t macs = 0;
};

struct Buffer {
  std::string name;  // the value's name, or NODE.scratch
  int64_t bytes = 0;
  int64_t align_bytes = 4;
  bool operator==(const Buffer&) const = default;
};

struct ConstantData {
  std::string name;   // a C identifier, unique in the program
  std::string ctype;  // "int8_t", "int32_t", ...
  std::vector<uint8_t> bytes;
  bool in_ram = false;  // start-up copies it from flash: plan/ says which are worth it
  bool operator==(const ConstantData&) const = default;
};

// A field of the kernel's argument struct: a number, or the index of a constant.
struct ConstantRef {
  int index = 0;
  bool operator==(const ConstantRef&) const = default;
};
using FieldValue = std::variant<int64_t, ConstantRef>;

// A pointer argument of the kernel, in the order of its prototype.
struct Operand {
  enum class Role { kSrc, kDst, kScratch } role = Role::kSrc;
  int buffer = -1;
  int64_t offset_bytes = 0;
  int constant = -1;  // a source that is constant (buffer is -1): index into Program::constants
  bool operator==(const Operand&) const = default;
};

// A kernel that lower/ wrote for this program: one C function in which shapes are constants.
struct KernelFunction {
  std::string name;                     // of the C function
  std::string isa;                      // isa_name of the instruction set its fast variant needs
  std::vector<std::string> files;       // below kernels/, which `text` relies on
  std::vector<std::string> parameters;  // C types of what a call passes for its operands, in order
  // Its last two parameters are `int32_t first_row, int32_t end_row`: the rows of dst to compute.
  bool takes_rows = false;
  // Its definition: static, C11 and C++17, plain C where the instruction set is missing.
  std::string text;
  int64_t code_bytes = 0;  // predicted, of what this function alone needs; 0: unknown
  bool operator==(const KernelFunction&) const = default;
};

// A moment in a call. Before it nothing of dst from written_bytes on is written; after it nothing
// of the source below unread_from_bytes is read. Between two moments the call may write below the
// later one's written_bytes and read from the earlier one's unread_from_bytes on, in any order;
// before the first it may read all, after the last it may write all. Ascending in both. Leaving
// moments out stays true.
struct AccessStep {
  int64_t written_bytes = 0;
  int64_t unread_from_bytes = 0;
  bool operator==(const AccessStep&) const = default;
};

// How far below its source dst must start, at least, so that no byte of the source is overwritten
// before its last read; dst_bytes if it must lie wholly below. With moments (w_k, u_k), k < n, and
// u_{-1} = 0, w_n = dst_bytes: what is written until moment k ends at dst + w_k, what is read after
// moment k - 1 begins at src + u_{k-1}, so dst + w_k <= src + u_{k-1} for all k, that is
//   src - dst >= max(0, max over k in 0..n of w_k - u_{k-1}).
int64_t overlap_distance(std::span<const AccessStep> progress, int64_t dst_bytes);

// Fewer moments for a distance that is at most `slack_bytes` larger.
std::vector<AccessStep> thin_out(std::span<const AccessStep> progress, int64_t dst_bytes,
                                 int64_t slack_bytes = 0);

// What some rows of dst cost alone, as far as they cost more than their part of the whole image.
struct RowCost {
  int32_t rows = 1;          // so many are computed together: fewer cost as much
  int32_t pixels = 1;        // likewise, of outputs that go on from row to row
  int32_t strip_rows = 0;    // not 0: each strip of so many rows, the last one of fewer, costs
  int64_t strip_cycles = 0;  // so much, whatever it holds
  int64_t call_cycles = 0;   // of each call, whatever it computes
  bool operator==(const RowCost&) const = default;
};

// What a member of a group computes in one band: rows [first_row, end_row) of its dst, of which
// there may be none, from rows [src_first_row, src_end_row) of the images it reads.
struct BandRows {
  int32_t first_row = 0, end_row = 0;
  int32_t src_first_row = 0, src_end_row = 0;
  bool operator==(const BandRows&) const = default;
};

// The rows of a buffer between two members that exist at one time lie in `window`, in order.
struct BandWindow {
  int buffer = -1;  // whole; it takes no place in the arena
  int window = -1;  // the buffer that does
  int64_t row_bytes = 0;
  bool operator==(const BandWindow&) const = default;
};

struct Band {
  std::vector<BandRows> rows;  // per member
  // Per window: the row of the whole buffer at which it starts during this band, a multiple of 4
  // bytes from row 0. What is still needed of the band before moves down to it.
  std::vector<int32_t> first_rows;
  bool operator==(const Band&) const = default;
};

struct KernelCall {
  std::string layer;   // the node's name
  std::string op;      // "conv2d"
  std::string shapes;  // of the node, for readers of the C: "1x49x10x1 -> 1x25x5x64"
  // What is computed: a kernel of the build with its struct. It runs on the target too, unless
  // `function` says otherwise.
  std::string kernel;                                      // "nibble_conv2d_s8_ref"
  std::vector<std::pair<std::string, FieldValue>> fields;  // in the order of the struct
  // Of the kernel; with a function: the kernel's sources and dst, then the function's own scratch.
  std::vector<Operand> operands;
  // How the target computes it: index into Program::functions, called with the operands, then
  // `arguments`; -1: by the kernel itself.
  int function = -1;
  std::vector<FieldValue> arguments;  // packed constants, numbers
  bool in_place = false;              // operand 0 (src) and the dst may share their address
  // How dst may run into operand 0 from below while that dies here; empty: it may not.
  std::vector<AccessStep> progress;
  // The moments hold for the bytes of each residue modulo this number by themselves, each residue
  // in its own time: a kernel that takes one channel after the other. So dst must start a multiple
  // of it below operand 0.
  int64_t progress_unit = 1;
  // The same of the scratch instead of dst: how it may run into operand 0, byte for byte.
  std::vector<AccessStep> scratch_progress;
  int64_t macs = 0;
  int64_t cycles = 0;  // predicted on the target's core; 0: unknown
  RowCost row_cost;
  // A group of calls that run band by band: for each band every member, in order, computes some
  // rows. Such a call has no kernel, fields, function or arguments of its own. Its operands are the
  // sources that come from outside, the dst of the last member, the windows, and one scratch for
  // all members.
  std::vector<KernelCall> members;
  std::vector<BandWindow> windows;
  std::vector<Band> bands;
  bool operator==(const KernelCall&) const = default;
};

// The window of `buffer` in the group; null if it has none.
const BandWindow* find_window(const KernelCall& group, int buffer);

// An input or output of the whole program.
struct ProgramPort {
  std::string name;
  TensorType type;
  std::vector<int64_t> source_perm;
  int buffer = -1;
  int64_t offset_bytes = 0;
  bool operator==(const ProgramPort&) const = default;
};

struct Program {
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<ConstantData> constants;
  std::vector<KernelFunction> functions;
  std::vector<KernelCall> calls;
  std::vector<ProgramPort> inputs;
  std::vector<ProgramPort> outputs;
  bool operator==(const Program&) const = default;
};

// The calls of layers in order: members stand for their group. Their indices count what hooks,
// traces and costs of layers count.
std::vector<const KernelCall*> layer_calls(const Program& program);

// Indices of the constants that a call passes to what the target calls: with a function, the fields
// are not among them.
std::vector<int> constants_of(const KernelCall& call);

// The name of the C function that the target calls.
inline const std::string& function_name(const Program& program, const KernelCall& call) {
  return call.function < 0 ? call.kernel
                           : program.functions[static_cast<size_t>(call.function)].name;
}

}  // namespace nibble
