// What is emitted for a target, its instruction sets' functions included, is C and C++ without a
// warning; and its README says how large it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "chain/chain_targets.h"
#include "chain/random_layers.h"
#include "emit/emit.h"
#include "lower/lower.h"
#include "plan/plan.h"
#include "support/shell.h"
#include "support/tools.h"

namespace nibble {
namespace {

constexpr const char* kWarnings =
    "-Wall -Wextra -Wconversion -Wpedantic -Wshadow -Wcast-qual -Wcast-align -Wundef -Werror";
constexpr int kLayersPerFamily = 3;
constexpr size_t kMostText = 600;  // of what a compiler says: the calls are long

// Layers of all families, by any implementations that the target has.
Result<Library> any_implementations(const Target& target, uint64_t seed) {
  Rng rng(seed);
  Graph graph;
  graph.name = "layers";
  for (const LayerFamily& family : layer_families())
    add_layers(family, kLayersPerFamily, rng, graph);
  LowerOptions options = lower_options(target);
  options.draw_seed = seed;
  NIBBLE_ASSIGN(Program program, lower(graph, options));
  NIBBLE_ASSIGN(MemoryPlan memory, plan(program));
  return emit(program, memory);
}

class ChainLayersCompile : public testing::TestWithParam<ChainCore> {};

// In both languages; the program's own functions are plain C where the core is another.
void expect_no_warnings(const Library& library, const Target& target,
                        const std::filesystem::path& folder) {
  std::vector<std::string> compilers = {"gcc", "clang"};
  if (target.toolchain == "arm-none-eabi")
    compilers.push_back("arm-none-eabi-gcc -ffreestanding " + join(target.compile_flags, " "));
  for (const std::string& compiler : compilers)
    for (const std::string language : {"-x c -std=c11", "-x c++ -std=c++17"}) {
      if (!has_tool(compiler.substr(0, compiler.find(' ')))) continue;
      ShellResult result = run_shell(compiler + " -fsyntax-only " + language + " " + kWarnings +
                                         " -Ilib lib/" + library.name + ".c",
                                     folder, folder);
      EXPECT_EQ(result.exit_code, 0) << compiler << " " << language << "\n"
                                     << result.err.substr(0, kMostText);
    }
}

TEST_P(ChainLayersCompile, WithoutWarnings) {
  Result<Target> target = find_target(GetParam().target);
  ASSERT_TRUE(target.ok());
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Result<Library> library = any_implementations(*target, seed);
    ASSERT_TRUE(library.ok()) << library.error().message;
    const std::filesystem::path folder = scratch_folder();
    ASSERT_TRUE(write_library(*library, folder / "lib").ok());
    EXPECT_THAT(
        slurp(folder / "lib/README.md"),
        testing::HasSubstr("weights and tables | " + with_thousands(library->weight_bytes)));
    expect_no_warnings(*library, *target, folder);
    std::filesystem::remove_all(folder);
  }
  NIBBLE_NEED_TOOLS("gcc", "clang", "arm-none-eabi-gcc");
}

INSTANTIATE_TEST_SUITE_P(Cores, ChainLayersCompile, testing::ValuesIn(all_cores()),
                         [](const auto& instance) { return c_identifier(instance.param.core); });

}  // namespace
}  // namespace nibble
