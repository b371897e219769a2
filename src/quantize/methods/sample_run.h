// Runs a graph node by node with all samples at each node, so that what has been decided about a
// layer is in what the next one reads. Memory: the live activations of all samples. Inside
// quantize/ only.
#pragma once

#include <map>
#include <vector>

#include "graph/graph.h"

namespace nibble {

class SampleRun {
 public:
  // The graph must outlive the run; constants may change up to the moment when a node runs.
  // `samples` are of graph.inputs[0], the only input.
  SampleRun(const Graph& graph, std::vector<Tensor> samples);

  // One tensor per sample, of an activation that has been computed and has a reader left.
  const std::vector<Tensor>& at(ValueId id) const;
  // Computes the next node for all samples, on all cores.
  void run_next();
  size_t next_node() const { return next_; }

 private:
  const Graph& graph_;
  size_t next_ = 0;
  std::vector<size_t> last_reader_;  // per value; SIZE_MAX: kept
  std::map<ValueId, std::vector<Tensor>> live_;
};

// The outputs of one node: `inputs` holds per sample the activations among its operands, in order.
std::vector<Tensor> run_samples(const Graph& graph, const Node& node,
                                const std::vector<std::vector<Tensor>>& inputs);

}  // namespace nibble
