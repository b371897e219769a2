// What every fuzzer of a model reader does with a file that the reader takes: the graph verifies,
// and so does what each pass makes of it; both are written as ONNX, or refused. A model too large
// to run passes on in a moment is left at the first check.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"

namespace nibble {

inline void simplify_accepted(Result<Graph> graph) {
  if (!graph.ok()) return;
  Status imported = verify_graph(*graph, VerifyLevel::kImported);
  NIBBLE_CHECK(imported.ok(), "{}", imported.error().message);
  constexpr int64_t kMaxFuzzedElems = 1 << 20;
  int64_t elems = 0;
  for (const Value& value : graph->values) {
    elems += std::min(elem_count(value.type.shape), kMaxFuzzedElems);
    if (elems >= kMaxFuzzedElems) return;
  }
  [[maybe_unused]] auto as_read = onnx_bytes(*graph);
  SimplifyOptions options;
  options.observer = [](std::string_view pass, int, const Graph& after) {
    Status verified = verify_graph(after, VerifyLevel::kImported);
    NIBBLE_CHECK(verified.ok(), "after pass {}: {}", pass, verified.error().message);
  };
  // What cannot be simplified is the file's fault and an error.
  if (!simplify(*graph, options).ok()) return;
  [[maybe_unused]] auto simplified = onnx_bytes(*graph);
}

}  // namespace nibble
