// What makes the C files a package: CMakeLists.txt, an example that builds anywhere, and a README
// that says what the library costs and how to call it.
#include <algorithm>

#include "base/text.h"
#include "emit/layout.h"

namespace nibble {
namespace {

// Text in a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string safe;
  for (char c : comment_text(text)) {
    if (c == '|' || c == '`' || c == '<' || c == '_' || c == '*') safe += '\\';
    safe += c;
  }
  return safe;
}

std::string port_line(const LibraryPort& names, const ProgramPort& port,
                      std::string_view direction) {
  std::string meaning = meaning_of(port.type);
  return fmt::format("| {} | `{}` | {} | `{}` | {} | {} |\n", direction, names.c_name,
                     cell(names.name), names.ctype, format_shape(port.type.shape), meaning);
}

std::string layer_table(const Layout& layout) {
  std::string text =
      "| # | layer | operator | shapes | kernel | MACs | weights (bytes) |\n"
      "|--:|---|---|---|---|--:|--:|\n";
  std::vector<int64_t> weights = weight_bytes_by_layer(layout.program);
  int64_t macs = 0, bytes = 0;
  for (size_t i = 0; i < layout.layers.size(); ++i) {
    const KernelCall& call = *layout.layers[i];
    text += fmt::format("| {} | {} | {} | {} | `{}` | {} | {} |\n", i, cell(call.layer),
                        cell(call.op), cell(call.shapes), function_name(layout.program, call),
                        with_thousands(call.macs), with_thousands(weights[i]));
    macs += call.macs;
    bytes += weights[i];
  }
  return text + fmt::format("| | **all** | | | | **{}** | **{}** |\n", with_thousands(macs),
                            with_thousands(bytes));
}

std::string cost_section(const Layout& layout) {
  const int64_t weight_bytes = layout.weight_bytes();
  const int64_t arguments = argument_bytes(layout.program);
  std::string text = "## What it costs\n\n| | bytes |\n|---|--:|\n";
  text += fmt::format("| RAM: arena (the only memory that is written, beside the stack) | {} |\n",
                      with_thousands(layout.arena_bytes));
  text += fmt::format(
      "| RAM: least that any arena for these layers, in this order and these bands, needs | {} |\n",
      with_thousands(layout.plan.lower_bound_bytes));
  if (int64_t bytes = layout.copied_bytes(); bytes > 0)
    text += fmt::format(
        "| RAM: copies of weights, made by the start-up code with all initialised variables | {} "
        "|\n",
        with_thousands(bytes));
  if (layout.options.stack_bytes > 0)
    text += fmt::format("| RAM: stack, as measured on the emulated core | {} |\n",
                        with_thousands(layout.options.stack_bytes));
  text += fmt::format("| Flash: weights and tables | {} |\n", with_thousands(weight_bytes));
  text += fmt::format("| Flash: descriptors of the layers (32-bit core) | {} |\n",
                      with_thousands(arguments));
  if (layout.options.code_bytes > 0) {
    const std::string& note = layout.options.code_note;
    text +=
        fmt::format("| Flash: code, {} | {} |\n",
                    note.empty() ? "as measured" : "as compiled by `" + comment_text(note) + "`",
                    with_thousands(layout.options.code_bytes));
    text += fmt::format("| **Flash in all** | **{}** |\n",
                        with_thousands(weight_bytes + arguments + layout.options.code_bytes));
  } else {
    text += fmt::format("| **Flash without code** | **{}** |\n",
                        with_thousands(weight_bytes + arguments));
  }
  if (layout.options.code_bytes == 0)
    text += fmt::format(
        "\nThe size of the code depends on core and options: `arm-none-eabi-size {}.o` tells it "
        "(`text`, weights included).\n",
        layout.name);
  return text + "\n";
}

std::string call_section(const Layout& layout) {
  const std::string& m = layout.macro;
  const std::string& n = layout.name;
  std::string declarations, arguments, fill;
  for (const auto* ports : {&layout.inputs, &layout.outputs})
    for (const LibraryPort& port : *ports) {
      declarations += fmt::format("{} {}[{}_ELEMS];\n", port.ctype, port.c_name, port.macro);
      arguments += (arguments.empty() ? "" : ", ") + port.c_name;
    }
  if (!layout.inputs.empty()) {
    const LibraryPort& port = layout.inputs[0];
    const ProgramPort& type = layout.program.inputs[0];
    bool scaled =
        type.type.quant && type.type.quant->per_tensor() && dtype_bits(type.type.dtype) <= 16;
    if (scaled)
      fill = fmt::format(
          "for (int i = 0; i < {0}_ELEMS; ++i) {1}[i] = {2}_quantize_{1}_f32(real[i]);\n",
          port.macro, port.c_name, n);
  }
  std::string in_arena;
  for (const auto* ports : {&layout.inputs, &layout.outputs})
    for (const LibraryPort& port : *ports)
      in_arena += fmt::format("{}{}_{}_in(arena)", in_arena.empty() ? "" : ", ", n, port.c_name);
  return fmt::format(
      R"(## How to call it

Compile `{0}.c` (C11 or C++17; of the C library at most memcpy and memset) and include `{0}.h`; or `add_subdirectory` this
folder and link the CMake target `{0}`. `example/main.c` is a whole program.

```c
#include "{0}.h"

{2}
{3}if ({0}_invoke({4}) != {1}_OK) {{ /* a null pointer */ }}
```

With an arena of your own (shared with other code, or in a faster memory), define `{1}_ARENA_EXTERNAL` for the whole
build and call

```c
{0}_invoke_in(arena, {4});
```

where `arena` has {1}_ARENA_BYTES bytes, aligned to {1}_ARENA_ALIGN. To save the copies, write the input to and read
the output from the arena itself:

```c
{0}_invoke_in(arena, {5});
```

`{1}_ARENA_ATTRIBUTE` may place the static arena (`__attribute__((section(".ccm")))`), and `{1}_LAYER_HOOK(index)` may be
a statement that runs after each layer.

)",
      n, m, declarations, fill, arguments.empty() ? "/* nothing */" : arguments, in_arena);
}

}  // namespace

std::string cmake_file(const Layout& layout) {
  std::string options;
  for (const std::string& flag : layout.options.compile_flags) options += " " + flag;
  if (!options.empty())
    options = fmt::format("# For the target it was compiled for:{}\n", comment_text(options));
  return fmt::format(
      R"(# {0}: a neural network as C, written by nibble. The library {0}; and {0}_example, built on request.
cmake_minimum_required(VERSION 3.13)
if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  project({0} C)
endif()
{1}
add_library({0} STATIC {0}.c)
target_include_directories({0} PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
target_compile_features({0} PUBLIC c_std_11)

add_executable({0}_example EXCLUDE_FROM_ALL example/main.c)
target_link_libraries({0}_example PRIVATE {0})
)",
      layout.name, options);
}

std::string example_file(const Layout& layout) {
  std::string arrays, fills, arguments, prints;
  for (size_t i = 0; i < layout.inputs.size(); ++i) {
    const LibraryPort& port = layout.inputs[i];
    const TensorType& type = layout.program.inputs[i].type;
    arrays += fmt::format("static {} {}[{}_ELEMS];\n", port.ctype, port.c_name, port.macro);
    arguments += (arguments.empty() ? "" : ", ") + port.c_name;
    if (type.quant && type.quant->per_tensor() && is_integer(type.dtype) &&
        dtype_bits(type.dtype) <= 16)
      fills += fmt::format(
          "  for (size_t i = 0; i < {0}_ELEMS; ++i) {1}[i] = {2}_quantize_{1}_f32(0.0f);\n",
          port.macro, port.c_name, layout.name);
  }
  for (size_t i = 0; i < layout.outputs.size(); ++i) {
    const LibraryPort& port = layout.outputs[i];
    const TensorType& type = layout.program.outputs[i].type;
    arrays += fmt::format("static {} {}[{}_ELEMS];\n", port.ctype, port.c_name, port.macro);
    arguments += (arguments.empty() ? "" : ", ") + port.c_name;
    bool scaled = type.quant && type.quant->per_tensor() && is_integer(type.dtype) &&
                  dtype_bits(type.dtype) <= 32;
    std::string real =
        scaled ? fmt::format("{}_dequantize_{}_f32({}[i])", layout.name, port.c_name, port.c_name)
               : port.c_name + "[i]";
    prints += fmt::format(
        "  for (size_t i = 0; i < {0}_ELEMS; ++i)\n    printf(\"{1}[%u] = %g\\n\", (unsigned)i, "
        "(double){2});\n",
        port.macro, port.c_name, real);
  }
  return fmt::format(
      R"(/* Runs the network once on an input of zeros. Needs no operating system; with {1}_EXAMPLE_PRINT defined it
   prints the outputs. */
#include "{0}.h"

#ifdef {1}_EXAMPLE_PRINT
#include <stdio.h>
#endif

{2}
int main(void) {{
  enum {0}_status status;
{3}  status = {0}_invoke({4});
#ifdef {1}_EXAMPLE_PRINT
{5}#endif
  return (int)status;
}}
)",
      layout.name, layout.macro, arrays, fills, arguments, prints);
}

std::string readme_file(const Layout& layout) {
  const Program& program = layout.program;
  std::string text = fmt::format(
      "# {}\n\nA neural network as C11 without heap, operating system or interpreter, written by "
      "nibble.\nKernels: Apache-2.0.\n\n",
      layout.name);
  if (program.name != layout.name) text += fmt::format("Model: {}.\n", cell(program.name));
  if (!layout.options.target_note.empty())
    text += fmt::format("Target: {}.\n", comment_text(layout.options.target_note));
  if (!layout.options.accuracy_note.empty())
    text += fmt::format("Accuracy: {}.\n", comment_text(layout.options.accuracy_note));
  if (!layout.options.compile_flags.empty())
    text += fmt::format("Compiler options: `{}`.\n",
                        comment_text(join(layout.options.compile_flags, " ")));
  text +=
      "\n## Inputs and outputs\n\n| | in C | in the model | type | shape | real number |\n"
      "|---|---|---|---|---|---|\n";
  for (size_t i = 0; i < layout.inputs.size(); ++i)
    text += port_line(layout.inputs[i], program.inputs[i], "input");
  for (size_t i = 0; i < layout.outputs.size(); ++i)
    text += port_line(layout.outputs[i], program.outputs[i], "output");
  text += "\n" + cost_section(layout) + call_section(layout);
  text += fmt::format(
      "## Files\n\n| file | |\n|---|---|\n"
      "| `{0}.h` | the interface |\n| `{0}.c` | the calls of the network; the one file to compile "
      "|\n"
      "| `{0}_weights.h` | weights, included by `{0}.c` |\n"
      "| `{0}_kernels.h` | the kernels that are used, included by `{0}.c` |\n"
      "| `CMakeLists.txt` | the target `{0}` |\n| `example/main.c` | one call on zeros |\n",
      layout.name);
  for (const auto& [path, meaning] : layout.options.files_beside)
    text += fmt::format("| `{}` | {} |\n", path, meaning);
  return text + "\n## Layers\n\n" + layer_table(layout);
}

}  // namespace nibble
