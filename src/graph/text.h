// The text form of a graph: for people, for tests of passes, and (with the data of the constants in
// a blob beside it) for .nibble files. print and parse are exact inverses, floats included.
//
//   graph "tiny" rounding=tflite
//   input %x : f32[1,4]
//   const %w : s8[2,4] {scale=[0.5], zero_point=[0], bits=8, range=[-127,127]} = hex:01ff7f80...
//   node "fc" %y : f32[1,2] = dense(%x, %w, _) act=[0,inf]
//   output %y
//
// A node that stays float in a quantized graph ends with `keep_float`.
#pragma once

#include <string>
#include <string_view>

#include "graph/ir.h"
#include "graph/program.h"

namespace nibble {

struct PrintOptions {
  enum class Constants { kHex, kElided, kBlob } constants = Constants::kHex;
};

// kBlob: constants print as `blob:OFFSET` and their bytes are appended to *blob.
std::string print_graph(const Graph& graph, PrintOptions options = {},
                        std::vector<uint8_t>* blob = nullptr);
// Errors name line and column and what was expected. `blob` serves `blob:OFFSET` constants.
Result<Graph> parse_graph(std::string_view text, std::span<const uint8_t> blob = {});

// A program: one line per buffer, constant and kernel call; the same exactness.
std::string print_program(const Program& program, PrintOptions options = {});
Result<Program> parse_program(std::string_view text);

}  // namespace nibble
