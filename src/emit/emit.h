// The public header of emit/: Program + MemoryPlan → a C library as text files, and its packages.
//
// Files: NAME.h (the interface), NAME.c (the one translation unit), NAME_weights.h and
// NAME_kernels.h (included by NAME.c only), CMakeLists.txt, example/main.c, README.md. What NAME.h
// declares, for a model "kws":
//
//   KWS_ARENA_BYTES, KWS_ARENA_ALIGN, KWS_INPUT_ELEMS, KWS_INPUT_SHAPE, KWS_INPUT_SCALE,
//   KWS_INPUT_ZERO_POINT, KWS_OUTPUT_... enum kws_status { KWS_OK, KWS_NULL_ARGUMENT, KWS_BAD_ARENA
//   }; enum kws_status kws_invoke(const int8_t *input, int8_t *output);            in a static
//   arena enum kws_status kws_invoke_in(void *arena, const int8_t *input, int8_t *output); int8_t
//   *kws_input_in(void *arena), *kws_output_in(void *arena);             without copies void
//   *kws_static_arena(void); int8_t kws_quantize_input_f32(float real); float
//   kws_dequantize_output_f32(int8_t q);
//
// Several inputs or outputs become several parameters, in the order of the program's ports. Macros
// that whoever compiles NAME.c may define: KWS_ARENA_EXTERNAL (no static arena, no kws_invoke),
// KWS_ARENA_ATTRIBUTE (an attribute of the static arena), KWS_COPIED_WEIGHTS (an attribute of the
// constants that are to lie in RAM), KWS_LAYER_HOOK(index) (a statement after
// each kernel call, in a scope where `uint8_t *arena` is the arena; index counts layer_calls(); for
// a layer of a group once in each band).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "plan/plan.h"

namespace nibble {

struct EmittedFile {
  std::string path;  // relative: "NAME.h", "example/main.c"
  std::string text;
};

// An input or output as the C interface names it.
struct LibraryPort {
  std::string name;    // in the model
  std::string c_name;  // parameter, and in NAME_C_NAME_in(): "input", or "input_IMAGE" where there
                       // are several
  std::string macro;   // "KWS_INPUT": prefix of its macros
  std::string ctype;   // "int8_t"
  int64_t elems = 0;
  int64_t bytes = 0;
  int64_t arena_offset_bytes = 0;
};

// What run/ relies on in a library called NAME, beside the interface above:
//  - NAME.c is its one translation unit, compiled with the library's root as include folder;
//  - NAME_invoke and NAME_invoke_in return 0 for success;
//  - nothing but NAME_LAYER_HOOK itself depends on whether it is defined;
//  - the static arena is one array whose symbol ends in "_arena";
//  - the constant c of the program is an array whose symbol is c or ends in "_c".
struct Library {
  std::string name;          // C prefix and base name of the files
  std::string macro_prefix;  // "KWS"
  std::vector<EmittedFile> files;
  std::vector<LibraryPort> inputs, outputs;  // in the order of the parameters
  int64_t arena_bytes = 0;
  int64_t weight_bytes = 0;  // all constants
  int64_t copied_bytes = 0;  // of these, what start-up copies to RAM
};

struct EmitOptions {
  std::string name;           // default: the program's
  std::string target_note;    // one line for the README ("compiled for stm32l4r5, cortex-m4")
  std::string accuracy_note;  // one line for the README ("92.1 % of 503 samples, float 92.3 %")
  int64_t code_bytes = 0;     // measured size of the code, for the README; 0: not measured
  std::string code_note;      // how it was measured ("arm-none-eabi-gcc -O2")
  int64_t stack_bytes = 0;    // measured, for the README; 0: not measured
  std::vector<std::string> compile_flags;
  // Files that the caller puts beside the library, for the README: path and what it is.
  std::vector<std::pair<std::string, std::string>> files_beside;
};

// What a library of the program has in flash beside code: constants, and tables of arguments.
int64_t flash_data_bytes(const Program& program);
// Errors: a program or plan (read from a file) that does not hold together.
Result<Library> emit(const Program& program, const MemoryPlan& plan,
                     const EmitOptions& options = {});
// Per constant of the program, the layer (index in layer_calls) that is the first to pass it to
// what the target calls; -1: none does.
std::vector<int> first_layers_of_constants(const Program& program);
// Writes all files, whole or not at all.
Status write_library(const Library& library, const std::filesystem::path& dir);

}  // namespace nibble
