// The public header of quantize/: float graph → integer graph, by post-training quantization.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "quantize/certify.h"
#include "quantize/emulate.h"
#include "quantize/explain.h"
#include "quantize/options.h"
#include "quantize/recipes.h"
#include "quantize/size.h"
#include "quantize/stability.h"
#include "quantize/stage_time.h"

namespace nibble {

// Statistics of every activation over the calibration set, in memory that does not depend on its
// size.
struct ValueRange {
  std::string value;
  double seen_min = 0, seen_max = 0;  // over the whole set
  double min = 0, max = 0;            // chosen by the calibrator
};

// Sets min and max to what per-tensor parameters can hold.
void set_ends(ValueRange& range, const QuantParams& params);

// How learning left a layer or block: the error of its output against the float network's, over the
// samples. The same before and after: nothing was gained, and it keeps what it had.
struct LearnedPart {
  std::string nodes;
  double before = 0, after = 0;
  bool kept() const { return !(after < before); }
};
struct LearnedMethod {
  std::string name;  // of a method, or of the calibrator whose ranges are learned
  std::vector<LearnedPart> parts;
};

struct QuantizeReport {
  std::string calibrator;
  int64_t samples = 0;
  std::vector<ValueRange> ranges;
  std::vector<std::string> float_nodes;  // left in float, only those that keep_float names
  Graph prepared;  // the float graph as the preparing methods left it: what layers compare with
  std::vector<LearnedMethod> learned;  // the pipeline's
  std::vector<StageTime> times;        // in the order in which they were done
};

// `graph` is float and simplified. Result: verified at level kQuantized; its inputs and outputs are
// integers. Errors: no samples, non-finite activations (named), an operator without integer form
// (all of them, named).
Result<Graph> quantize(const Graph& graph, const CalibrationData& data,
                       const QuantizeOptions& options, QuantizeReport* report = nullptr);

}  // namespace nibble
