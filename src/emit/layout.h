// The names of an emitted library and small pieces of C text, shared by the files of emit/.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "emit/emit.h"
#include "lower/lower.h"

namespace nibble {

// All that the writers of the single files need.
struct Layout {
  const Program& program;
  const MemoryPlan& plan;
  const EmitOptions& options;
  std::string name;   // C prefix
  std::string macro;  // the same in upper case
  std::vector<LibraryPort> inputs, outputs;
  std::vector<const KernelCall*> layers;    // of the program (layer_calls)
  std::vector<std::string> args_names;      // per layer
  std::vector<std::string> constant_names;  // per constant
  std::vector<const KernelInfo*> kernels;   // per layer; null: one of the program's functions
  std::vector<bool> constant_used;          // per constant: by what the target calls
  int64_t arena_bytes = 1;                  // at least 1: C has no empty arrays

  // Of the constants that are used; of these, what start-up copies to RAM.
  int64_t weight_bytes() const;
  int64_t copied_bytes() const;
};

constexpr int kArenaAlign = 16;

Layout make_layout(const Program& program, const MemoryPlan& plan, const EmitOptions& options);

// The parameter list of NAME_invoke.
std::string parameter_list(const Layout& layout);
// Text that may stand in a C comment, whatever a model file calls its layers.
std::string comment_text(std::string_view text);
// A float literal that reads back exactly.
std::string c_float(float value);
// An integer literal; the smallest of its type needs its macro.
std::string c_integer(int64_t value);
// What an element of this type stands for: "0.5 * (q + 128)"; empty for types without scale.
std::string meaning_of(const TensorType& type);
// Bytes of the argument structs on a 32-bit core.
int64_t argument_bytes(const Program& program);
// Per layer, bytes of the constants that it is the first to use.
std::vector<int64_t> weight_bytes_by_layer(const Program& program);
// What the target's function takes in the place of `operand`: its C type.
std::string_view operand_ctype(const Layout& layout, size_t layer, size_t operand);
// Of a constant or a number that a layer passes on.
std::string value_text(const Layout& layout, const FieldValue& value);
// A line that says which layer comes.
std::string layer_comment(const Layout& layout, size_t layer, const std::string& indent);
// function(argument, ...); broken into lines.
std::string wrapped_call(const std::string& indent, const std::string& function,
                         const std::vector<std::string>& arguments);
std::string hook_text(const Layout& layout, size_t layer, const std::string& indent);
// The loop of a group whose first member is the layer `first`.
std::string band_loop(const Layout& layout, const KernelCall& group, size_t first_layer);

std::string header_file(const Layout& layout);
std::string source_file(const Layout& layout);
std::string weights_file(const Layout& layout);
std::string kernels_file(const Layout& layout);
std::string cmake_file(const Layout& layout);
std::string example_file(const Layout& layout);
std::string readme_file(const Layout& layout);

}  // namespace nibble
