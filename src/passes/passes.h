// The public header of passes/: graph → graph. kPasses in passes.cc is the ordered list; a pass's
// file, function, command-line name and test are the same word. Every pass keeps the function of
// the graph: of a float graph up to float rounding, of an integer graph exactly.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

struct Pass {
  std::string_view name;
  // Returns how many places it changed.
  int (*run)(Graph& graph);
  // Runs only in a round in which no pass before it changed anything: what it does would stand in
  // their way.
  bool late = false;
  // Is part of clean_up, which asks nothing of the graph but that it verifies.
  bool cleans = false;
};

// In the order in which simplify runs them. integer_ports, the last, runs as SimplifyOptions says.
const std::vector<Pass>& all_passes();

// Whether the graph's float inputs and outputs may become the integers that stand behind their
// quantize and dequantize nodes. kAuto: in a graph that fold_qdq made integers of (ONNX QDQ), not
// in one whose file says that its caller has real numbers (TFLite).
enum class IntegerPorts { kAuto, kOff, kOn };

struct SimplifyOptions {
  // verify_graph after every pass, whether it says that it changed something or not; a pass that
  // breaks the graph is our bug and ends the program with its name. Development builds (those with
  // tests or fuzzers, and Debug) do so in any case.
  bool verify_each = false;
  std::vector<std::string> skip;
  bool clean_up = true;  // off: only what brings a model into the compiler's form
  IntegerPorts integer_ports = IntegerPorts::kAuto;
  std::function<void(std::string_view pass, int changes, const Graph& graph)> observer;
};

// Imported → simplified: static NHWC, batch norm folded, activations and pads fused, constants
// folded, QDQ turned into integer operators, nothing dead; repeated until nothing changes. A graph
// in which quantize left nodes in float (Node::keep_float) stays as it is, and is verified.
Status simplify(Graph& graph, const SimplifyOptions& options = {});

// Removes what an integer graph computes for nothing, exactly, and nothing else: channels that are
// constant, equal or unread, operators that change nothing, taps that see nothing. Nodes and values
// that stay keep their names. simplify does the same; this is for what quantize made.
void clean_up(Graph& graph);

// Layers of windows on images of one column become layers on images of one row, or the other way
// round, exactly: the same bytes, but kernels are faster on a row, and bands of rows can go over a
// column alone. Nodes keep their names, inputs and outputs of the graph their shapes. Returns how
// many layers turned.
enum class OneLine { kRow, kColumn };
int turn_lines(Graph& graph, OneLine wanted);

// What clean_up would find at the output of a node.
struct ConstantChannels {
  std::string node;
  int64_t channels = 0;
  int64_t constant = 0;  // hold one proved integer, or one at each position, for every input
};
// One entry for each node with an integer result; none for a float graph.
std::vector<ConstantChannels> constant_channels(const Graph& graph);

}  // namespace nibble
