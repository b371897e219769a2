// Small models and their emitted libraries in a folder of their own, for the tests of emit/.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "emit/emit.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "support/shell.h"

namespace nibble {

// Removed at the end of the test.
class Folder {
 public:
  Folder() : path_(scratch_folder()) {}
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  // The output of a command that succeeds.
  std::string run(const std::string& command) const {
    ShellResult result = run_shell(command, path_, "/usr/bin");
    EXPECT_EQ(result.exit_code, 0) << command << "\n" << result.err << result.out;
    return result.out;
  }

 private:
  std::filesystem::path path_;
};

inline QuantParams quant(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

inline Graph small_graph(const std::string& name) {
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
inline Graph forked_graph() {
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

inline Compiled compile(const Graph& graph, EmitOptions options = {}) {
  Result<Program> program = lower(graph);
  EXPECT_TRUE(program.ok()) << program.error().message;
  Result<MemoryPlan> planned = plan(*program);
  EXPECT_TRUE(planned.ok());
  Result<Library> library = emit(*program, *planned, options);
  EXPECT_TRUE(library.ok()) << library.error().message;
  return {*program, *library};
}

inline EmitOptions named(const std::string& name) {
  EmitOptions options;
  options.name = name;
  return options;
}

inline const std::string& text_of(const Library& library, const std::string& path) {
  for (const EmittedFile& file : library.files)
    if (file.path == path) return file.text;
  NIBBLE_UNREACHABLE("no file {}", path);
}

inline void write_to(const Library& library, const std::filesystem::path& dir) {
  Status status = write_library(library, dir);
  EXPECT_TRUE(status.ok()) << status.error().message;
}

}  // namespace nibble
