// The public header of emit/: Program + MemoryPlan → a C library as text files, and its packages.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace nibble {

struct EmittedFile {
  std::string path;  // relative: "NAME.h", "src/..."
  std::string text;
};

// What run/ relies on in a library called NAME:
//  - NAME.c is its one translation unit, compiled with the library's root as include folder, beside NAME.h;
//  - NAME_invoke(const T *input, ..., T *output, ...) takes one pointer per port, inputs first, in the program's
//    order; it returns 0 for success;
//  - if the macro NAME_LAYER_HOOK (NAME in upper case) is defined, NAME_LAYER_HOOK(i); stands after kernel call i, and
//    nothing else depends on it;
//  - the arena, where it is the library's own, is one array whose symbol ends in "_arena";
//  - the constant c of the program is an array whose symbol is c or ends in "_c".
struct Library {
  std::string name;  // C prefix and base name of the files
  std::vector<EmittedFile> files;
  int64_t arena_bytes = 0;
  int64_t weight_bytes = 0;  // all constants
};

struct EmitOptions {
  std::string name;         // default: the program's
  std::string target_note;  // one line for the README ("compiled for stm32l4r5, cortex-m4")
  std::vector<std::string> compile_flags;
};

Result<Library> emit(const Program& program, const MemoryPlan& plan, const EmitOptions& options = {});
// Writes all files, whole or not at all.
Status write_library(const Library& library, const std::filesystem::path& dir);

}  // namespace nibble
