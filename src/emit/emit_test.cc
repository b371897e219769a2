// Emitted libraries: compiled without a warning by every compiler, as C and as C++; run on the
// host, equal to the interpreter; names, notes and errors.
#include "emit/emit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "base/rng.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "support/random_graph.h"
#include "support/shell.h"
#include "support/tools.h"

namespace nibble {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

constexpr const char* kWarnings =
    "-Wall -Wextra -Wconversion -Wpedantic -Wshadow -Wcast-qual -Wcast-align -Wundef -Werror";

// Removed at the end of the test.
class Folder {
 public:
  Folder() : path_(scratch_folder()) {}
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }
  // The output of a command that succeeds.
  std::string run(const std::string& command) const {
    ShellResult result = run_shell(command, path_, "/usr/bin");
    EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.err << result.out;
    return result.out;
  }

 private:
  fs::path path_;
};

QuantParams quant(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

Graph small_graph(const std::string& name) {
  Graph graph;
  graph.name = name;
  ValueId x = append_input(graph, "x", {{1, 4}, DType::kS8, quant(0.3f, -7)});
  std::vector<int8_t> elems = {1, -2, 3, -4, 5, -6, 7, -8};
  Tensor w = Tensor::of<int8_t>({2, 4}, DType::kS8, elems);
  w.set_quant(QuantParams{{0.25f}, {0}, -1, 8, -127, 127});
  ValueId filter = append_constant(graph, "w", w);
  ValueId y = *append_node(graph, Dense{}, "fc */ \\ ?\?/ \"x\"\n#error", {x, filter, kNoValue},
                           quant(0.5f, 3));
  graph.outputs.push_back({y, {}});
  return graph;
}

// Two inputs and two outputs.
Graph forked_graph() {
  Graph graph;
  graph.name = "forked";
  ValueId a = append_input(graph, "serving:a", {{1, 2, 2, 3}, DType::kS8, quant(0.3f, -7)});
  ValueId b = append_input(graph, "input_b", {{1, 2, 2, 3}, DType::kS8, quant(0.2f, 5)});
  ValueId sum = *append_node(graph, Add{}, "sum", {a, b}, quant(0.5f, 0));
  ValueId product = *append_node(graph, Mul{}, "product", {sum, b}, quant(0.25f, 1));
  ValueId real = *append_node(graph, Dequantize{}, "real", {product}, std::nullopt, DType::kF32);
  graph.outputs.push_back({sum, {}});
  graph.outputs.push_back({real, {}});
  graph.outputs.push_back({a, {}});
  return graph;
}

struct Compiled {
  Program program;
  Library library;
};

Compiled compile(const Graph& graph, EmitOptions options = {}) {
  Result<Program> program = lower(graph);
  EXPECT_TRUE(program.ok()) << program.error().message;
  Result<MemoryPlan> planned = plan(*program);
  EXPECT_TRUE(planned.ok());
  Result<Library> library = emit(*program, *planned, options);
  EXPECT_TRUE(library.ok()) << library.error().message;
  return {*program, *library};
}

EmitOptions named(const std::string& name) {
  EmitOptions options;
  options.name = name;
  return options;
}

const std::string& text_of(const Library& library, const std::string& path) {
  for (const EmittedFile& file : library.files)
    if (file.path == path) return file.text;
  NIBBLE_UNREACHABLE("no file {}", path);
}

void write_to(const Library& library, const fs::path& dir) {
  Status status = write_library(library, dir);
  EXPECT_TRUE(status.ok()) << status.error().message;
}

// Every compiler that is there, in both languages (the test skips by name where one is missing,
// once the others had nothing to say); on demand with the macros that a user may set.
void expect_no_warnings(const Library& library, bool with_macros = false) {
  Folder folder;
  write_to(library, folder.path() / "lib");
  struct Compiler {
    std::string command, options;
  };
  const std::string& macro = library.macro_prefix;
  for (const Compiler& compiler :
       {Compiler{"gcc", ""}, Compiler{"clang", ""},
        Compiler{"arm-none-eabi-gcc", "-mcpu=cortex-m4 -mthumb -ffreestanding -fbuiltin"}}) {
    if (!has_tool(compiler.command)) continue;
    for (const std::string language : {"-x c -std=c11", "-x c++ -std=c++17"}) {
      std::string command = compiler.command + " " + compiler.options + " " + language + " " +
                            kWarnings + " -O2 -Ilib -c -o out.o ";
      folder.run(command + "lib/" + library.name + ".c");
      if (!with_macros) continue;
      folder.run(command + "lib/example/main.c");
      folder.run(command + "-D" + macro + "_ARENA_EXTERNAL '-D" + macro +
                 "_LAYER_HOOK(i)=(void)arena[i]' lib/" + library.name + ".c");
      folder.run(command + "'-D" + macro +
                 "_ARENA_ATTRIBUTE=__attribute__((section(\".ccm\")))' lib/" + library.name + ".c");
    }
  }
  NIBBLE_NEED_TOOLS("gcc", "clang", "arm-none-eabi-gcc");
}

TEST(Emit, SmallLibraryCompilesEverywhereWithoutWarnings) {
  expect_no_warnings(compile(small_graph("small")).library, true);
}

TEST(Emit, SeveralPortsCompileEverywhereWithoutWarnings) {
  expect_no_warnings(compile(forked_graph()).library, true);
}

TEST(Emit, RandomNetworkCompilesEverywhereWithoutWarnings) {
  RandomGraphOptions options;
  options.integer = true;
  options.nodes = 30;
  expect_no_warnings(compile(random_graph(5, options)).library);
}

// Every portable kernel in one translation unit: none of their helpers may share a name.
TEST(Emit, AllKernelsTogetherCompileEverywhereWithoutWarnings) {
  Program program;
  program.name = "all kernels";
  for (const KernelInfo& kernel : all_kernels()) {
    if (kernel.isa != Isa::kPortable) continue;
    KernelCall call;
    call.layer = std::string(kernel.family);
    call.op = "op";
    call.kernel = std::string(kernel.function);
    for (const KernelField& field : kernel.fields) call.fields.emplace_back(field.name, int64_t{0});
    for (const KernelParameter& parameter : kernel.parameters) {
      Operand operand;
      operand.role = parameter.role;
      operand.buffer = static_cast<int>(program.buffers.size());
      program.buffers.push_back({"b" + std::to_string(program.buffers.size()), 64, 4});
      if (parameter.role == Operand::Role::kSrc) {
        ProgramPort port;
        port.name = program.buffers.back().name;
        port.type = {{64}, DType::kS8, quant(1, 0)};
        port.buffer = operand.buffer;
        program.inputs.push_back(port);
      }
      call.operands.push_back(operand);
    }
    program.calls.push_back(call);
  }
  Result<MemoryPlan> planned = plan(program);
  ASSERT_TRUE(planned.ok());
  Result<Library> library = emit(program, *planned);
  ASSERT_TRUE(library.ok()) << library.error().message;
  expect_no_warnings(*library);
}

TEST(Emit, TwoLibrariesShareATranslationUnit) {
  Folder folder;
  write_to(compile(small_graph("one")).library, folder.path() / "one");
  write_to(compile(forked_graph(), named("two")).library, folder.path() / "two");
  spill(folder.path() / "both.c", "#include \"one/one.c\"\n#include \"two/two.c\"\n");
  folder.run(std::string("gcc -std=c11 -Ione -Itwo -c both.c ") + kWarnings);
}

// --- Execution ----------------------------------------------------------------------------------

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

// --- Text ---------------------------------------------------------------------------------------

TEST(Emit, InterfaceNamesFollowThePorts) {
  Library library = compile(forked_graph()).library;
  EXPECT_EQ(library.inputs[0].c_name, "input_serving_a");
  EXPECT_EQ(library.inputs[1].c_name, "input_b");
  EXPECT_EQ(library.outputs[0].c_name, "output_sum");
  EXPECT_THAT(
      text_of(library, "forked.h"),
      HasSubstr("enum forked_status forked_invoke(const int8_t *input_serving_a, const int8_t "
                "*input_b,"));
  EXPECT_THAT(text_of(library, "forked.h"), HasSubstr("#define FORKED_INPUT_B_SHAPE {1, 2, 2, 3}"));
  EXPECT_EQ(library.arena_bytes % 4, 0);
}

TEST(Emit, HeaderStatesShapesAndScales) {
  Library library = compile(small_graph("small")).library;
  const std::string& header = text_of(library, "small.h");
  EXPECT_THAT(header,
              HasSubstr("enum small_status small_invoke(const int8_t *input, int8_t *output);"));
  EXPECT_THAT(header, HasSubstr("#define SMALL_INPUT_SCALE 0.3f"));
  EXPECT_THAT(header, HasSubstr("#define SMALL_INPUT_ZERO_POINT (-7)"));
  EXPECT_THAT(header, HasSubstr("#define SMALL_OUTPUT_ELEMS 2"));
  EXPECT_THAT(header, HasSubstr("#define SMALL_ARENA_BYTES 6"));
}

TEST(Emit, OnlyTheKernelsInUseAreThere) {
  Library library = compile(small_graph("small")).library;
  const std::string& kernels = text_of(library, "small_kernels.h");
  EXPECT_THAT(kernels, HasSubstr("nibble_dense_s8_ref"));
  EXPECT_THAT(kernels, Not(HasSubstr("nibble_conv2d")));
  EXPECT_THAT(kernels, Not(HasSubstr("#include \"")));
}

TEST(Emit, NamesThatWouldHideSomethingAreChanged) {
  for (const std::string name :
       {"string", "stdint", "test", "main", "nibble", "int", "42", "_x", ""}) {
    Library library = compile(small_graph(name)).library;
    EXPECT_NE(library.name, name);
    Folder folder;
    write_to(library, folder.path() / "lib");
    folder.run(std::string("gcc -std=c11 -Ilib -c lib/") + library.name + ".c " + kWarnings);
  }
  EXPECT_EQ(compile(small_graph("ok"), named("My Net-2")).library.name, "My_Net_2");
}

TEST(Emit, ReadmeStatesCostAndCall) {
  EmitOptions options;
  options.target_note = "stm32l4r5, cortex-m4";
  options.accuracy_note = "92.1 % of 503 samples";
  Compiled compiled = compile(small_graph("small"), options);
  const std::string& readme = text_of(compiled.library, "README.md");
  EXPECT_THAT(readme, HasSubstr("small_invoke(input, output)"));
  EXPECT_THAT(readme, HasSubstr("stm32l4r5"));
  EXPECT_THAT(readme, HasSubstr("92.1 %"));
  // 8 weights, two multipliers and exponents at most.
  EXPECT_GE(compiled.library.weight_bytes, 8 + 5);
  EXPECT_LE(compiled.library.weight_bytes, 8 + 2 * 5);
}

TEST(Emit, BrokenPlanOrProgramIsAnError) {
  Result<Program> program = lower(small_graph("small"));
  MemoryPlan planned = *plan(*program);
  MemoryPlan broken = planned;
  broken.offsets[1] = broken.offsets[0];
  EXPECT_FALSE(emit(*program, broken).ok());
  Program hostile = *program;
  hostile.constants[0].name = "x[]; int y";
  EXPECT_FALSE(emit(hostile, planned).ok());
  hostile = *program;
  hostile.calls[0].kernel = "system";
  EXPECT_FALSE(emit(hostile, planned).ok());
}

TEST(WriteLibrary, AppearsWholeAndIsReplaced) {
  Folder folder;
  Library library = compile(small_graph("small")).library;
  write_to(library, folder.path() / "lib");
  write_to(library, folder.path() / "lib");
  EXPECT_TRUE(fs::exists(folder.path() / "lib/example/main.c"));
  spill(folder.path() / "lib/mine.txt", "keep");
  EXPECT_FALSE(write_library(library, folder.path() / "lib").ok());
  EXPECT_FALSE(write_library(library, folder.path() / "missing/lib").ok());
}

}  // namespace
}  // namespace nibble
