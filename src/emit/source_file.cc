// NAME.c: the argument structs, the straight list of kernel calls, and the entry points.
#include <algorithm>
#include <bit>

#include "base/text.h"
#include "emit/layout.h"

namespace nibble {
namespace {

std::string field_text(const Layout& layout, const KernelField& field, const FieldValue& value) {
  if (const auto* ref = std::get_if<ConstantRef>(&value))
    return layout.constant_names[static_cast<size_t>(ref->index)];
  int64_t number = std::get<int64_t>(value);
  if (field.is_pointer) return "NULL";
  if (field.ctype == "float") return c_float(std::bit_cast<float>(static_cast<uint32_t>(number)));
  return c_integer(number);
}

std::string args_definition(const Layout& layout, size_t layer) {
  const KernelInfo& kernel = *layout.kernels[layer];
  const KernelCall& call = *layout.layers[layer];
  std::string text =
      fmt::format("static const {} {} = {{\n", kernel.args_struct, layout.args_names[layer]);
  for (size_t i = 0; i < call.fields.size(); ++i)
    text += fmt::format("    {}{} /* {} */\n",
                        field_text(layout, kernel.fields[i], call.fields[i].second),
                        i + 1 < call.fields.size() ? "," : "", kernel.fields[i].name);
  return text + "};\n";
}

// Rows of dst: out_h of the kernels on images.
int64_t dst_rows(const KernelCall& call) {
  for (const auto& [name, value] : call.fields)
    if (name == "out_h") return std::get<int64_t>(value);
  return 1;
}

std::string operand_text(const Layout& layout, std::string_view ctype, const Operand& operand) {
  if (operand.buffer < 0) return layout.constant_names[static_cast<size_t>(operand.constant)];
  int64_t offset = layout.plan.offsets[static_cast<size_t>(operand.buffer)];
  offset = (offset < 0 ? 0 : offset) + operand.offset_bytes;
  std::string place = offset == 0 ? "arena" : fmt::format("(arena + {})", offset);
  bool bytes = ctype.find("int8_t") != std::string_view::npos;
  return fmt::format("({}){}{}", ctype, bytes ? "" : "(void *)", place);
}

// What stands between the brackets of a call.
std::vector<std::string> call_arguments(const Layout& layout, size_t layer) {
  const KernelCall& call = *layout.layers[layer];
  std::vector<std::string> arguments;
  if (call.function < 0) arguments.push_back("&" + layout.args_names[layer]);
  for (size_t i = 0; i < call.operands.size(); ++i)
    arguments.push_back(operand_text(layout, operand_ctype(layout, layer, i), call.operands[i]));
  if (call.function < 0) return arguments;
  for (const FieldValue& value : call.arguments) arguments.push_back(value_text(layout, value));
  if (layout.program.functions[static_cast<size_t>(call.function)].takes_rows) {
    arguments.push_back("0");
    arguments.push_back(c_integer(dst_rows(call)));
  }
  return arguments;
}

std::string call_text(const Layout& layout, size_t layer) {
  const std::string& function = function_name(layout.program, *layout.layers[layer]);
  return layer_comment(layout, layer, "  ") +
         wrapped_call("  ", function, call_arguments(layout, layer)) +
         hook_text(layout, layer, "  ");
}

std::string run_function(const Layout& layout) {
  std::string text = fmt::format("static void {}_run(uint8_t *arena) {{\n", layout.name);
  if (layout.program.calls.empty()) text += "  (void)arena;\n";
  size_t layer = 0;
  for (const KernelCall& call : layout.program.calls) {
    text += call.members.empty() ? call_text(layout, layer) : band_loop(layout, call, layer);
    layer += std::max<size_t>(1, call.members.size());
  }
  return text + "}\n";
}

std::string copy_text(const Layout& layout, const LibraryPort& port, bool is_input) {
  std::string place = fmt::format("{}_{}_in(arena)", layout.name, port.c_name);
  return fmt::format("  if ({0} != {1}) memcpy({2}, {3}, {4});\n", port.c_name, place,
                     is_input ? place : port.c_name, is_input ? port.c_name : place, port.bytes);
}

std::string invoke_functions(const Layout& layout) {
  std::string parameters = parameter_list(layout);
  std::string comma = parameters.empty() ? "" : ", ";
  std::string text = fmt::format("enum {0}_status {0}_invoke_in(void *arena{1}{2}) {{\n",
                                 layout.name, comma, parameters);
  std::string null_test = "arena == NULL", names;
  for (const auto* ports : {&layout.inputs, &layout.outputs})
    for (const LibraryPort& port : *ports) {
      null_test += fmt::format(" || {} == NULL", port.c_name);
      names += ", " + port.c_name;
    }
  text += fmt::format(
      "  if ({1}) return {0}_NULL_ARGUMENT;\n"
      "  if (((uintptr_t)arena & ({0}_ARENA_ALIGN - 1)) != 0) return {0}_BAD_ARENA;\n",
      layout.macro, null_test);
  for (const LibraryPort& port : layout.inputs) text += copy_text(layout, port, true);
  text += fmt::format("  {}_run((uint8_t *)arena);\n", layout.name);
  for (const LibraryPort& port : layout.outputs) text += copy_text(layout, port, false);
  text += fmt::format("  return {}_OK;\n}}\n", layout.macro);
  return text + fmt::format(R"(
#ifndef {1}_ARENA_EXTERNAL
{1}_ALIGN({1}_ARENA_ALIGN) static uint8_t {0}_arena[{1}_ARENA_BYTES] {1}_ARENA_ATTRIBUTE;

enum {0}_status {0}_invoke({2}) {{
  return {0}_invoke_in({0}_arena{3});
}}

void *{0}_static_arena(void) {{ return {0}_arena; }}
#endif
)",
                            layout.name, layout.macro, parameters.empty() ? "void" : parameters,
                            names);
}

}  // namespace

std::string source_file(const Layout& layout) {
  std::string text = fmt::format(
      R"(/* {2}: the calls of the network, in order. Written by nibble; see {0}.h. */
#include "{0}.h"

#include <string.h>

#ifdef __cplusplus
#define {1}_ALIGN(bytes) alignas(bytes)
#else
#define {1}_ALIGN(bytes) _Alignas(bytes)
#endif

/* Stands after the static arena's declarator, to place it: __attribute__((section(".ccm"))) */
#ifndef {1}_ARENA_ATTRIBUTE
#define {1}_ARENA_ATTRIBUTE
#endif

/* A statement after each layer, for tracing and timing; `arena` is the arena. */
#ifndef {1}_LAYER_HOOK
#define {1}_LAYER_HOOK(index) ((void)0)
#endif

#include "{0}_kernels.h"
#include "{0}_weights.h"

)",
      layout.name, layout.macro, comment_text(layout.program.name));
  for (size_t i = 0; i < layout.layers.size(); ++i)
    if (layout.kernels[i]) text += args_definition(layout, i) + "\n";
  return text + run_function(layout) + "\n" + invoke_functions(layout);
}

}  // namespace nibble
