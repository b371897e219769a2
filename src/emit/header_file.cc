// NAME.h: the interface of the library, in C11 that is C++17 as well.
#include <algorithm>

#include "base/text.h"
#include "emit/layout.h"

namespace nibble {
namespace {

std::string shape_list(const Shape& shape) {
  std::vector<std::string> extents;
  for (int64_t extent : shape) extents.push_back(std::to_string(extent));
  return join(extents, ", ");
}

// The shape that the model file has for a port whose layout was changed.
std::string layout_note(const ProgramPort& port) {
  const std::vector<int64_t>& perm = port.source_perm;
  const Shape& shape = port.type.shape;
  if (perm.empty() || perm.size() != shape.size()) return "";
  Shape file_shape(shape.size(), 1);
  for (size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] < 0 || static_cast<size_t>(perm[i]) >= shape.size()) return "";
    file_shape[static_cast<size_t>(perm[i])] = shape[i];
  }
  return fmt::format("\n   The model file has it as {}: axis i here is axis {{{}}}[i] there.",
                     format_shape(file_shape), shape_list(perm));
}

bool has_scale(const ProgramPort& port) {
  return port.type.quant && port.type.quant->per_tensor() && is_integer(port.type.dtype) &&
         port.type.quant->scale.size() == 1 && port.type.quant->zero_point.size() == 1;
}

std::string port_macros(const LibraryPort& names, const ProgramPort& port) {
  std::string meaning = meaning_of(port.type);
  if (!meaning.empty()) meaning = ", real = " + meaning;
  std::string text =
      fmt::format("/* {}: \"{}\", {} of {}{}{} */\n", names.c_name, comment_text(port.name),
                  format_shape(port.type.shape), names.ctype, meaning, layout_note(port));
  text += fmt::format("#define {}_ELEMS {}\n", names.macro, names.elems);
  text += fmt::format("#define {}_RANK {}\n", names.macro, port.type.shape.size());
  if (!port.type.shape.empty())
    text += fmt::format("#define {}_SHAPE {{{}}}\n", names.macro, shape_list(port.type.shape));
  if (!has_scale(port)) return text + "\n";
  std::string zero_point = c_integer(port.type.quant->zero_point[0]);
  if (zero_point[0] == '-') zero_point = "(" + zero_point + ")";
  text += fmt::format("#define {}_SCALE {}\n#define {}_ZERO_POINT {}\n", names.macro,
                      c_float(port.type.quant->scale[0]), names.macro, zero_point);
  return text + "\n";
}

std::string pointer_function(const Layout& layout, const LibraryPort& port) {
  std::string offset =
      port.arena_offset_bytes == 0 ? std::string() : fmt::format(" + {}", port.arena_offset_bytes);
  return fmt::format(
      "static inline {1} *{0}_{2}_in(void *arena) {{\n"
      "  return ({1} *)(void *)((uint8_t *)arena{3});\n}}\n",
      layout.name, port.ctype, port.c_name, offset);
}

// q = clamp(round_half_away(real / scale) + zero_point): the rounding of the compiler's own
// quantization.
std::string quantize_function(const Layout& layout, const LibraryPort& names,
                              const ProgramPort& port) {
  if (!has_scale(port) || dtype_bits(port.type.dtype) > 16) return "";
  const QuantParams& quant = *port.type.quant;
  return fmt::format(
      "/* The element of {2} that stands for a real number; what lies outside saturates, NaN "
      "becomes zero. "
      "*/\n"
      "static inline {1} {0}_quantize_{2}_f32(float real) {{\n"
      "  float steps = real / {3}_SCALE;\n"
      "  int32_t q = 0;\n"
      "  if (steps > 65536.0f) steps = 65536.0f;\n"
      "  if (steps < -65536.0f) steps = -65536.0f;\n"
      "  if (steps == steps) {{\n"
      "    float rest;\n"
      "    q = (int32_t)steps;\n"
      "    rest = steps - (float)q;\n"
      "    if (rest >= 0.5f) ++q;\n"
      "    if (rest <= -0.5f) --q;\n"
      "  }}\n"
      "  q += {3}_ZERO_POINT;\n"
      "  return ({1})(q < {4} ? {4} : (q > {5} ? {5} : q));\n}}\n",
      layout.name, names.ctype, names.c_name, names.macro, c_integer(quant.q_min),
      c_integer(quant.q_max));
}

std::string dequantize_function(const Layout& layout, const LibraryPort& names,
                                const ProgramPort& port) {
  if (!has_scale(port) || dtype_bits(port.type.dtype) > 32) return "";
  return fmt::format(
      "/* The real number that an element of {2} stands for. */\n"
      "static inline float {0}_dequantize_{2}_f32({1} q) {{\n"
      "  return {3}_SCALE * (float)((int32_t)q - {3}_ZERO_POINT);\n}}\n",
      layout.name, names.ctype, names.c_name, names.macro);
}

std::string invoke_section(const Layout& layout) {
  std::string parameters = parameter_list(layout);
  return fmt::format(
      R"(enum {0}_status {{
  {1}_OK = 0,
  {1}_NULL_ARGUMENT = 1, /* a pointer is null */
  {1}_BAD_ARENA = 2      /* the arena is not aligned to {1}_ARENA_ALIGN bytes */
}};

/* One inference in an arena of the caller: {1}_ARENA_BYTES bytes, aligned to
   {1}_ARENA_ALIGN, whose content before and after does not matter. Inputs are read
   and outputs written through the pointers; a pointer that comes from {0}_..._in(arena)
   saves the copy, no other may lead into the arena. Calls with different arenas may run at the
   same time. */
enum {0}_status {0}_invoke_in(void *arena{3}{2});

#ifndef {1}_ARENA_EXTERNAL
/* The same in an arena of the library's own. One call at a time. */
enum {0}_status {0}_invoke({4});
/* That arena, for {0}_..._in(). */
void *{0}_static_arena(void);
#endif
)",
      layout.name, layout.macro, parameters, parameters.empty() ? "" : ", ",
      parameters.empty() ? "void" : parameters);
}

}  // namespace

std::string header_file(const Layout& layout) {
  const Program& program = layout.program;
  std::string text = fmt::format(
      "/* {}: a neural network as C, written by nibble. See README.md.\n\n"
      "   Compile {}.c and include this header. No heap, no operating system; the only memory "
      "written is the\n"
      "   arena. Define {}_ARENA_EXTERNAL for both to leave out the static arena and to give one "
      "with each\n"
      "   call. C11 and C++17. */\n",
      comment_text(program.name), layout.name, layout.macro);
  text += fmt::format(
      "#ifndef {0}_H\n#define {0}_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n", layout.macro);
  text += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  text += fmt::format("#define {0}_ARENA_BYTES {1}\n#define {0}_ARENA_ALIGN {2}\n\n", layout.macro,
                      layout.arena_bytes, kArenaAlign);
  for (size_t i = 0; i < layout.inputs.size(); ++i)
    text += port_macros(layout.inputs[i], program.inputs[i]);
  for (size_t i = 0; i < layout.outputs.size(); ++i)
    text += port_macros(layout.outputs[i], program.outputs[i]);
  text += invoke_section(layout);
  text +=
      "\n/* Where inputs and outputs lie in an arena. An input is overwritten during the call. "
      "*/\n";
  for (const LibraryPort& port : layout.inputs) text += pointer_function(layout, port);
  for (const LibraryPort& port : layout.outputs) text += pointer_function(layout, port);
  text += "\n";
  for (size_t i = 0; i < layout.inputs.size(); ++i)
    text += quantize_function(layout, layout.inputs[i], program.inputs[i]);
  for (size_t i = 0; i < layout.outputs.size(); ++i)
    text += dequantize_function(layout, layout.outputs[i], program.outputs[i]);
  return text + "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
}

}  // namespace nibble
