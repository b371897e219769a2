// Emitted libraries: compiled without a warning by every compiler, as C and as C++; names, notes
// and errors. emit_run_test.cc runs them.
#include "emit/emit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emit/test_library.h"
#include "support/random_graph.h"
#include "support/tools.h"

namespace nibble {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

constexpr const char* kWarnings =
    "-Wall -Wextra -Wconversion -Wpedantic -Wshadow -Wcast-qual -Wcast-align -Wundef -Werror";

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
