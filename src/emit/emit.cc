// Program + MemoryPlan → Library: checks that both hold together, lets each file be written, packs
// them.
#include "emit/emit.h"

#include <set>

#include "base/file.h"
#include "base/text.h"
#include "emit/layout.h"

namespace nibble {
namespace {

// Names and types end up as C text; a program from a file could hold anything.
Status check_constants(const Program& program) {
  static const std::set<std::string_view> kTypes = {"int8_t",   "uint8_t", "int16_t", "int32_t",
                                                    "uint32_t", "int64_t", "float"};
  for (const ConstantData& constant : program.constants)
    if (c_identifier(constant.name) != constant.name || !kTypes.contains(constant.ctype))
      return input_error(
          fmt::format("program: constant \"{}\" of type \"{}\" cannot be written as C; "
                      "lower the model again",
                      constant.name, constant.ctype));
  for (const KernelFunction& function : program.functions)
    if (c_identifier(function.name) != function.name)
      return input_error(fmt::format(
          "program: function \"{}\" cannot be written as C; lower the model again", function.name));
  return {};
}

}  // namespace

Result<Library> emit(const Program& program, const MemoryPlan& plan, const EmitOptions& options) {
  NIBBLE_TRY(verify_program(program));
  NIBBLE_TRY(check_constants(program));
  NIBBLE_TRY(check_plan(program, plan));
  Layout layout = make_layout(program, plan, options);
  Library library;
  library.name = layout.name;
  library.macro_prefix = layout.macro;
  library.inputs = layout.inputs;
  library.outputs = layout.outputs;
  library.arena_bytes = layout.arena_bytes;
  library.weight_bytes = layout.weight_bytes();
  library.copied_bytes = layout.copied_bytes();
  library.files = {{layout.name + ".h", header_file(layout)},
                   {layout.name + ".c", source_file(layout)},
                   {layout.name + "_weights.h", weights_file(layout)},
                   {layout.name + "_kernels.h", kernels_file(layout)},
                   {"CMakeLists.txt", cmake_file(layout)},
                   {"example/main.c", example_file(layout)},
                   {"README.md", readme_file(layout)}};
  return library;
}

Status write_library(const Library& library, const std::filesystem::path& dir) {
  return write_directory(dir, [&](const std::filesystem::path& fresh) -> Status {
    for (const EmittedFile& file : library.files) {
      std::filesystem::path path = fresh / file.path;
      std::error_code error;
      std::filesystem::create_directories(path.parent_path(), error);
      if (error)
        return input_error(fmt::format("cannot write the directory \"{}\": {}",
                                       path.parent_path().string(), error.message()));
      NIBBLE_TRY(write_text_file(path, file.text));
    }
    return {};
  });
}

}  // namespace nibble
