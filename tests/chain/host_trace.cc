// Compiles a library with a hook that writes the dst of every call to a file, and runs one sample.
#include "chain/host_trace.h"

#include <algorithm>
#include <cstdlib>

#include "base/file.h"

namespace nibble {
namespace {

std::string tracer(const Library& library, const std::vector<TracePoint>& points) {
  std::string rows, arrays, reads, arguments;
  for (const TracePoint& point : points)
    rows += fmt::format("{{{}, {}}}, ", point.offset, point.bytes);
  for (const LibraryPort& port : library.inputs) {
    arrays += fmt::format("static {} {}[{}_ELEMS];\n", port.ctype, port.c_name, port.macro);
    reads += fmt::format("  if (fread({0}, sizeof {0}, 1, stdin) != 1) return 2;\n", port.c_name);
    arguments += (arguments.empty() ? "" : ", ") + port.c_name;
  }
  for (const LibraryPort& port : library.outputs) {
    arrays += fmt::format("static {} {}[{}_ELEMS];\n", port.ctype, port.c_name, port.macro);
    arguments += (arguments.empty() ? "" : ", ") + port.c_name;
  }
  return fmt::format(
      "#include <stdio.h>\n#include <stdint.h>\n"
      "static void trace(const uint8_t *arena);\n"
      "#define {0}_LAYER_HOOK(index) trace(arena)\n#include \"{1}.c\"\n"
      "static const long places[][2] = {{{2}{{0, 0}}}};\n"
      "static void trace(const uint8_t *arena) {{\n"
      "  static int point;\n"
      "  fwrite(arena + places[point][0], 1, (size_t)places[point][1], stdout);\n"
      "  ++point;\n}}\n"
      "{3}int main(void) {{\n{4}  return (int){1}_invoke({5});\n}}\n",
      library.macro_prefix, library.name, rows, arrays, reads, arguments);
}

}  // namespace

Result<std::vector<std::vector<uint8_t>>> trace_on_host(const Library& library,
                                                        const Program& program,
                                                        const MemoryPlan& plan,
                                                        const std::vector<Tensor>& sample) {
  NIBBLE_ASSIGN(TempDir dir, TempDir::create());
  NIBBLE_TRY(write_library(library, dir.path() / "lib"));
  const std::vector<TracePoint> points = trace_points(program, plan.offsets);
  NIBBLE_TRY(write_text_file(dir.path() / "trace.c", tracer(library, points)));
  std::vector<uint8_t> input;
  for (const Tensor& tensor : sample)
    input.insert(input.end(), tensor.bytes().begin(), tensor.bytes().end());
  NIBBLE_TRY(write_file(dir.path() / "in", input));
  std::string command =
      fmt::format("cd '{}' && cc -std=c11 -O1 -Ilib trace.c -o trace && ./trace < in > out",
                  dir.path().string());
  if (std::system(command.c_str()) != 0) return input_error("the traced library does not run");
  NIBBLE_ASSIGN(std::vector<uint8_t> bytes, read_file(dir.path() / "out"));
  std::vector<std::vector<uint8_t>> trace(layer_calls(program).size());
  auto at = bytes.begin();
  for (const TracePoint& point : points) {
    if (bytes.end() - at < point.bytes) return input_error("the trace is too short");
    trace[point.layer].resize(static_cast<size_t>(point.of_bytes));
    std::copy_n(at, point.bytes, trace[point.layer].begin() + point.dst_offset_bytes);
    at += point.bytes;
  }
  return trace;
}

}  // namespace nibble
