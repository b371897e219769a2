// What the labels of a data set are for a model: classes, or targets that its output is to equal.
// Inside formats/ only.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

struct Labels {
  std::vector<int64_t> classes;  // empty, or one per sample
  Tensor targets;                // no samples, or N x the first output's extents, f32, graph layout
  std::string not_scored;        // why neither could be made of them
};

// Targets: labels of the first output's shape, unless each is one-hot; and one real number per
// sample for an output of one element, unless all are 0 or 1. One whole number per sample otherwise
// is a class. Errors: another number of labels than samples, a label below 0, NaN or infinity.
Result<Labels> convert_labels(const Tensor& labels, int64_t samples, const Graph& graph,
                              const std::string& file);

}  // namespace nibble
