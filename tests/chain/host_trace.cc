// Compiles a library with a hook that writes the dst of every call to a file, and runs one sample.
#include "chain/host_trace.h"

#include <cstdlib>

#include "base/file.h"

namespace nibble {
namespace {

struct DstPlace {
  int64_t offset = 0, bytes = 0;
};

std::vector<DstPlace> dst_places(const Program& program, const MemoryPlan& plan) {
  std::vector<DstPlace> places;
  for (const KernelCall& call : program.calls)
    for (const Operand& operand : call.operands)
      if (operand.role == Operand::Role::kDst)
        places.push_back({plan.offsets[static_cast<size_t>(operand.buffer)],
                          program.buffers[static_cast<size_t>(operand.buffer)].bytes});
  return places;
}

std::string tracer(const Library& library, const std::vector<DstPlace>& places) {
  std::string rows, arrays, reads, arguments;
  for (const DstPlace& place : places)
    rows += fmt::format("{{{}, {}}}, ", place.offset, place.bytes);
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
      "static void trace(const uint8_t *arena, int index);\n"
      "#define {0}_LAYER_HOOK(index) trace(arena, index)\n#include \"{1}.c\"\n"
      "static const long places[][2] = {{{2}{{0, 0}}}};\n"
      "static void trace(const uint8_t *arena, int index) {{\n"
      "  fwrite(arena + places[index][0], 1, (size_t)places[index][1], stdout);\n}}\n"
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
  std::vector<DstPlace> places = dst_places(program, plan);
  NIBBLE_TRY(write_text_file(dir.path() / "trace.c", tracer(library, places)));
  std::vector<uint8_t> input;
  for (const Tensor& tensor : sample)
    input.insert(input.end(), tensor.bytes().begin(), tensor.bytes().end());
  NIBBLE_TRY(write_file(dir.path() / "in", input));
  std::string command =
      fmt::format("cd '{}' && cc -std=c11 -O1 -Ilib trace.c -o trace && ./trace < in > out",
                  dir.path().string());
  if (std::system(command.c_str()) != 0) return input_error("the traced library does not run");
  NIBBLE_ASSIGN(std::vector<uint8_t> bytes, read_file(dir.path() / "out"));
  std::vector<std::vector<uint8_t>> trace;
  auto at = bytes.begin();
  for (const DstPlace& place : places) {
    if (bytes.end() - at < place.bytes) return input_error("the trace is too short");
    trace.emplace_back(at, at + place.bytes);
    at += place.bytes;
  }
  return trace;
}

}  // namespace nibble
