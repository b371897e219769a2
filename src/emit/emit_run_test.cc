// Emitted libraries run on the host: equal to the interpreter under AddressSanitizer and
// UndefinedBehaviorSanitizer, their helpers, and what they say of wrong arguments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "emit/test_library.h"
#include "support/random_graph.h"
#include "support/tools.h"

namespace nibble {
namespace {

using testing::HasSubstr;

Tensor random_input(const TensorType& type, Rng& rng) {
  Tensor tensor(type);
  for (int64_t i = 0; i < tensor.size(); ++i)
    tensor.set_integer_at(i, rng.integer(dtype_min(type.dtype), dtype_max(type.dtype)));
  return tensor;
}

// Reads samples from stdin and writes the outputs, once through copies and once within an arena of
// its own.
std::string harness(const Library& library) {
  const std::string& n = library.name;
  std::string arrays, read, arguments, in_arena, write, compare;
  for (const LibraryPort& port : library.inputs) {
    arrays += port.ctype + " " + port.c_name + "[" + port.macro + "_ELEMS];\n";
    read += "    if (fread(" + port.c_name + ", sizeof " + port.c_name +
            ", 1, stdin) != 1) return 0;\n";
    read += "    memcpy(" + n + "_" + port.c_name + "_in(arena), " + port.c_name + ", sizeof " +
            port.c_name + ");\n";
    arguments += (arguments.empty() ? "" : ", ") + port.c_name;
    in_arena += ", " + n + "_" + port.c_name + "_in(arena)";
  }
  for (const LibraryPort& port : library.outputs) {
    arrays += port.ctype + " " + port.c_name + "[" + port.macro + "_ELEMS];\n";
    arguments += ", " + port.c_name;
    in_arena += ", " + n + "_" + port.c_name + "_in(arena)";
    write += "    fwrite(" + port.c_name + ", sizeof " + port.c_name + ", 1, stdout);\n";
    compare += "    if (memcmp(" + port.c_name + ", " + n + "_" + port.c_name +
               "_in(arena), sizeof " + port.c_name + ") != 0) return 3;\n";
  }
  return "#include <stdio.h>\n#include <string.h>\n#include \"" + n + ".h\"\n" + arrays +
         "static _Alignas(" + library.macro_prefix + "_ARENA_ALIGN) unsigned char arena[" +
         library.macro_prefix + "_ARENA_BYTES];\n" + "int main(void) {\n  for (;;) {\n" + read +
         "    if (" + n + "_invoke(" + arguments + ")) return 1;\n    if (" + n +
         "_invoke_in(arena" + in_arena + ")) return 2;\n" + compare + write + "  }\n}\n";
}

void expect_equals_interpreter(const Graph& graph, uint64_t seed) {
  Compiled compiled = compile(graph);
  Folder folder;
  write_to(compiled.library, folder.path() / "lib");
  Interpreter interpreter(graph);
  HostProgram host(compiled.program);
  Rng rng(seed);
  std::string input_bytes, expected_bytes;
  auto append = [](std::string& bytes, const Tensor& tensor) {
    bytes.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size());
  };
  for (int sample = 0; sample < 4; ++sample) {
    std::vector<Tensor> inputs;
    for (const Port& port : graph.inputs) {
      inputs.push_back(random_input(graph.type(port.value), rng));
      append(input_bytes, inputs.back());
    }
    std::vector<Tensor> expected = interpreter.run(inputs), on_host = host.run(inputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      append(expected_bytes, expected[i]);
      EXPECT_TRUE(std::ranges::equal(expected[i].bytes(), on_host[i].bytes()));
    }
  }
  spill(folder.path() / "in", input_bytes);
  spill(folder.path() / "main.c", harness(compiled.library));
  folder.run(
      "gcc -std=c11 -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Ilib main.c lib/" +
      compiled.library.name + ".c -o main && ./main < in > out");
  EXPECT_EQ(slurp(folder.path() / "out"), expected_bytes) << graph.name;
}

TEST(Emit, RunsAsTheInterpreterDoes) {
  expect_equals_interpreter(small_graph("small"), 1);
  expect_equals_interpreter(forked_graph(), 2);
  RandomGraphOptions options;
  options.integer = true;
  for (uint64_t seed = 1; seed <= 4; ++seed)
    expect_equals_interpreter(random_graph(seed, options), seed);
}

TEST(Emit, StatusTellsWhatTheCallerGotWrong) {
  Folder folder;
  write_to(compile(small_graph("small")).library, folder.path() / "lib");
  spill(folder.path() / "main.c", R"(#include "small.h"
static _Alignas(16) unsigned char arena[SMALL_ARENA_BYTES + 16];
int main(void) {
  int8_t in[SMALL_INPUT_ELEMS] = {0}, out[SMALL_OUTPUT_ELEMS];
  if (small_invoke(0, out) != SMALL_NULL_ARGUMENT) return 1;
  if (small_invoke(in, 0) != SMALL_NULL_ARGUMENT) return 2;
  if (small_invoke_in(0, in, out) != SMALL_NULL_ARGUMENT) return 3;
  if (small_invoke_in(arena + 4, in, out) != SMALL_BAD_ARENA) return 4;
  if (small_invoke_in(arena, in, out) != SMALL_OK) return 5;
  return small_static_arena() == 0;
})");
  folder.run("gcc -std=c11 -Ilib main.c lib/small.c -o main && ./main");
}

TEST(Emit, QuantizeHelperRoundsAsTheCompilerDoes) {
  Folder folder;
  Compiled compiled = compile(small_graph("small"));
  write_to(compiled.library, folder.path() / "lib");
  spill(folder.path() / "main.c", R"(#include <stdio.h>
#include "small.h"
int main(void) {
  float real;
  while (fread(&real, sizeof real, 1, stdin) == 1) {
    int8_t q = small_quantize_input_f32(real);
    float back = small_dequantize_output_f32(q);
    fwrite(&q, 1, 1, stdout);
    fwrite(&back, sizeof back, 1, stdout);
  }
  return 0;
})");
  std::vector<float> reals = {0,     INFINITY, -INFINITY, 1e30f,       -1e30f,
                              0.15f, -0.15f,   0.45f,     0.149999995f};
  Rng rng(3);
  for (int i = 0; i < 2000; ++i) reals.push_back(static_cast<float>(rng.uniform(-45, 45)));
  for (int i = -300; i < 300; ++i) reals.push_back(0.15f * static_cast<float>(i));
  std::string bytes(reinterpret_cast<const char*>(reals.data()), reals.size() * 4);
  spill(folder.path() / "in", bytes);
  folder.run("gcc -std=c11 -Ilib main.c lib/small.c -o main && ./main < in > out");
  std::string out = slurp(folder.path() / "out");
  ASSERT_EQ(out.size(), reals.size() * 5);
  TensorType type = compiled.program.inputs[0].type;
  type.shape = {static_cast<int64_t>(reals.size())};
  Tensor expected = quantize_tensor(Tensor::of_floats(type.shape, reals), type);
  for (size_t i = 0; i < reals.size(); ++i) {
    auto q = static_cast<int8_t>(out[5 * i]);
    EXPECT_EQ(q, expected.data<int8_t>()[i]) << reals[i];
    float back;
    std::memcpy(&back, out.data() + 5 * i + 1, 4);
    EXPECT_EQ(back, 0.5f * static_cast<float>(q - 3));
  }
}

TEST(Emit, CMakeProjectAndExampleBuild) {
  NIBBLE_NEED_TOOLS("cmake");
  Folder folder;
  write_to(compile(small_graph("small")).library, folder.path() / "lib");
  folder.run(
      "cmake -S lib -B build -DCMAKE_C_FLAGS=-DSMALL_EXAMPLE_PRINT >log 2>&1 && "
      "cmake --build build --target small_example >>log 2>&1 || { cat log; exit 1; }");
  EXPECT_THAT(folder.run("build/small_example"), HasSubstr("output[0] = "));
}

}  // namespace
}  // namespace nibble
