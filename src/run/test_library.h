// Small hand-written libraries in the style that emit/ writes, with samples for them, for the tests
// of run/.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "run/run.h"

namespace nibble {

inline ProgramPort port(const std::string& name, int64_t elems, DType dtype) {
  ProgramPort result;
  result.name = name;
  result.type = TensorType{{1, elems}, dtype, std::nullopt};
  return result;
}

// Two layers through a static arena: double every element and add a weight; then sum up into 32
// bits.
inline constexpr const char* kTinySource = R"(
static const int8_t tiny_offsets[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#if defined(__clang__) /* and no vectors, so that the counts are a loop's */
#define APART __attribute__((noinline, optnone))
#else
#define APART __attribute__((noipa))
#endif
static int32_t tiny_calls;
typedef struct { int32_t len; const int8_t *offsets; } add_args;
static const add_args tiny_args = {16, tiny_offsets};
static APART void add(const add_args *args, const int8_t *src, int8_t *dst) {
  int32_t i;
  memcpy(dst, src, (size_t)args->len); /* a call: the C library of every core must link */
  for (i = 0; i < args->len; ++i) dst[i] = (int8_t)(2 * dst[i] + args->offsets[i]);
}
static APART void sum(const int8_t *src, int32_t *dst) {
  volatile uint8_t on_stack[200];
  int32_t i, acc = 0;
  for (i = 0; i < 200; ++i) on_stack[i] = 1;
  for (i = 0; i < 16; ++i) acc += src[i];
  *dst = acc + on_stack[0] - 1;
}
static void run(uint8_t *arena, const int8_t *input, int32_t *output) {
  ++tiny_calls;
  add(&tiny_args, input, (int8_t *)arena + 20);
  TINY_LAYER_HOOK(0);
  sum((const int8_t *)arena + 20, output);
  TINY_LAYER_HOOK(1);
}
)";

struct Example {
  Library library;
  Program program;
};

// The frame that emit/ writes around the calls: `run` is called with the arena and the ports, which
// lie at its start.
inline Example framed(const std::string& name, const std::string& macro, const std::string& code,
                      std::pair<std::string, ProgramPort> in,
                      std::pair<std::string, ProgramPort> out, int64_t scratch_bytes,
                      const std::string& status = "0") {
  Example example;
  Program& program = example.program;
  program.name = name;
  program.inputs = {in.second};
  program.outputs = {out.second};
  auto bytes = [](const ProgramPort& p) {
    return elem_count(p.type.shape) * dtype_bytes(p.type.dtype);
  };
  int64_t out_offset = (bytes(in.second) + 3) / 4 * 4;
  Library& library = example.library;
  library.name = name;
  library.macro_prefix = macro;
  library.arena_bytes = out_offset + bytes(out.second) + scratch_bytes;
  library.inputs = {{in.second.name, "input", macro + "_INPUT", in.first,
                     elem_count(in.second.type.shape), bytes(in.second), 0}};
  library.outputs = {{out.second.name, "output", macro + "_OUTPUT", out.first,
                      elem_count(out.second.type.shape), bytes(out.second), out_offset}};
  std::string arguments = fmt::format("const {} *input, {} *output", in.first, out.first);
  std::string header = fmt::format(
      "#include <stdint.h>\n#define {1}_ARENA_BYTES {2}\n#define {1}_ARENA_ALIGN 16\n"
      "int {0}_invoke_in(void *arena, {3});\n"
      "#ifndef {1}_ARENA_EXTERNAL\nint {0}_invoke({3});\nvoid *{0}_static_arena(void);\n#endif\n"
      "static inline {4} *{0}_input_in(void *arena) {{ return ({4} *)arena; }}\n"
      "static inline {5} *{0}_output_in(void *arena) {{ return ({5} *)(void *)((uint8_t *)arena + "
      "{6}); }}\n",
      name, macro, library.arena_bytes, arguments, in.first, out.first, out_offset);
  std::string source = fmt::format(
      "#include \"{0}.h\"\n#include <string.h>\n"
      "#ifndef {1}_LAYER_HOOK\n#define {1}_LAYER_HOOK(index) ((void)0)\n#endif\n{2}\n"
      "int {0}_invoke_in(void *arena, {3}) {{ run((uint8_t *)arena, input, output); return {4}; "
      "}}\n"
      "#ifndef {1}_ARENA_EXTERNAL\n_Alignas(16) static uint8_t {0}_arena[{1}_ARENA_BYTES];\n"
      "int {0}_invoke({3}) {{ return {0}_invoke_in({0}_arena, input, output); }}\n"
      "void *{0}_static_arena(void) {{ return {0}_arena; }}\n#endif\n",
      name, macro, code, arguments, status);
  library.files = {{name + ".h", header}, {name + ".c", source}};
  return example;
}

inline Example tiny() {
  Example example = framed("tiny", "TINY", kTinySource, {"int8_t", port("x", 16, DType::kS8)},
                           {"int32_t", port("y", 1, DType::kS32)}, 16);
  Program& program = example.program;
  program.buffers = {{"x", 16, 4}, {"hidden", 16, 4}, {"y", 4, 4}};
  program.constants = {{"offsets", "int8_t", std::vector<uint8_t>(16)}};
  KernelCall add, sum;
  add.layer = "first";
  add.op = "add";
  add.kernel = "add";
  add.macs = 16;
  add.fields = {{"offsets", ConstantRef{0}}};
  add.operands = {{}, {}};
  add.operands[0].role = Operand::Role::kSrc;
  add.operands[0].buffer = 0;
  add.operands[1].role = Operand::Role::kDst;
  add.operands[1].buffer = 1;
  sum.layer = "second";
  sum.op = "sum";
  sum.kernel = "sum";
  program.calls = {add, sum};
  return example;
}

// A library of one function whose body is given; it sees input and output.
inline Example one_function(const std::string& ctype, DType out_type, int64_t in_elems,
                            int64_t out_elems, const std::string& body,
                            const std::string& before = "", const std::string& status = "0") {
  return framed("loop", "LOOP",
                before + "static void run(uint8_t *arena, const int8_t *input, " + ctype +
                    " *output) {\n  (void)arena;\n" + body + "}\n",
                {"int8_t", port("x", in_elems, DType::kS8)},
                {ctype, port("y", out_elems, out_type)}, 0, status);
}

inline std::vector<std::vector<Tensor>> counting_samples(size_t samples, int64_t elems) {
  std::vector<std::vector<Tensor>> result;
  for (size_t s = 0; s < samples; ++s) {
    std::vector<int8_t> values;
    for (int64_t i = 0; i < elems; ++i)
      values.push_back(static_cast<int8_t>(static_cast<int64_t>(s) * 3 - i));
    result.push_back({Tensor::of<int8_t>({1, elems}, DType::kS8, values)});
  }
  return result;
}

// sum_i 2 * (3 s - i) + i, i in [0, 16), without wrapping for small s
inline int32_t expected_sum(size_t sample) { return static_cast<int32_t>(sample) * 96 - 120; }

inline Target target_named(const std::string& name) {
  auto target = find_target(name);
  EXPECT_TRUE(target.ok()) << (target.ok() ? "" : target.error().message);
  return *target;
}

}  // namespace nibble
