// Graphs written as text in tests. Constants may be left to chance: `const %w : f32[4,3] = random`.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <sstream>
#include <string>

#include "base/rng.h"
#include "graph/graph.h"

namespace nibble {

// Data for a type as in the text form ("f32[4,3]"), as hex. f32 in [-1, 1], s8 in [-127, 127], s32
// in [-1000, 1000].
inline std::string random_hex(const std::string& type, Rng& rng) {
  int64_t count = 1;
  std::istringstream extents(type.substr(type.find('[') + 1));
  for (int64_t extent; extents >> extent; extents.get()) count *= extent;
  std::string hex = "hex:";
  for (int64_t i = 0; i < count; ++i) {
    uint8_t bytes[4];
    size_t size = 4;
    if (type.rfind("f32", 0) == 0) {
      auto value = static_cast<float>(rng.uniform(-1, 1));
      std::memcpy(bytes, &value, 4);
    } else if (type.rfind("s32", 0) == 0) {
      auto value = static_cast<int32_t>(rng.integer(-1000, 1000));
      std::memcpy(bytes, &value, 4);
    } else {
      bytes[0] = static_cast<uint8_t>(rng.integer(-127, 127));
      size = 1;
    }
    for (size_t k = 0; k < size; ++k) {
      hex += "0123456789abcdef"[bytes[k] >> 4];
      hex += "0123456789abcdef"[bytes[k] & 15];
    }
  }
  return hex;
}

// The header line is put in front. Fails the test on an error in the text.
inline Graph graph_of(const std::string& body, uint64_t seed = 1) {
  Rng rng(seed);
  std::string text = "graph \"g\" rounding=tflite\n";
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    const std::string mark = "= random";
    if (size_t at = line.find(mark); at != std::string::npos) {
      std::string type = line.substr(line.find(" : ") + 3);
      line = line.substr(0, at) + "= " + random_hex(type.substr(0, type.find(']')), rng);
    }
    text += line + "\n";
  }
  auto graph = parse_graph(text);
  if (!graph.ok()) {
    ADD_FAILURE() << graph.error().message << "\n" << text;
    return {};
  }
  return *graph;
}

// The text without header and constants: inputs, nodes and outputs.
inline std::string skeleton(const Graph& graph) {
  std::string result;
  std::istringstream lines(print_graph(graph, {PrintOptions::Constants::kElided}));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("graph", 0) != 0 && line.rfind("const", 0) != 0) result += line + "\n";
  return result;
}

}  // namespace nibble
