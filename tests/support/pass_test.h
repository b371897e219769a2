// How the test of a pass is written: a graph as text, the pass, the text it must become; the
// function is compared on random inputs. Needs ops/.
#pragma once

#include <string>

#include "support/compare_graphs.h"
#include "support/graph_text.h"

namespace nibble {

using PassFunction = int (*)(Graph&);

struct PassTolerance {
  double relative = 2e-5;  // of the largest output
  double steps = 0;        // of an integer output
};

// What the pass makes of the graph; checks that it verifies and computes the same.
inline Graph after_pass(PassFunction pass, const Graph& before, PassTolerance tolerance = {}) {
  auto status = verify_graph(before, VerifyLevel::kImported);
  EXPECT_TRUE(status.ok()) << "before the pass: " << status.error().message;
  if (!status.ok()) return before;
  Graph after = before;
  pass(after);
  status = verify_graph(after, VerifyLevel::kImported);
  EXPECT_TRUE(status.ok()) << "after the pass: " << status.error().message << "\n"
                           << skeleton(after);
  if (status.ok()) expect_same_function(before, after, 1, tolerance.relative, tolerance.steps);
  return after;
}

inline void expect_becomes(PassFunction pass, const std::string& before, const std::string& after,
                           PassTolerance tolerance = {}) {
  EXPECT_EQ(skeleton(after_pass(pass, graph_of(before), tolerance)), after);
}

// Nothing for the pass to do here.
inline void expect_untouched(PassFunction pass, const std::string& text) {
  Graph graph = graph_of(text);
  auto status = verify_graph(graph, VerifyLevel::kImported);
  EXPECT_TRUE(status.ok()) << status.error().message;
  const std::string before = print_graph(graph);
  EXPECT_EQ(pass(graph), 0);
  EXPECT_EQ(print_graph(graph), before);
}

}  // namespace nibble
