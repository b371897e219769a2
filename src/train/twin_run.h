// An integer graph and its float twin, computed side by side over all samples, node by node: what a
// layer has been changed to is in what the next one reads. Inside the module with libtorch only.
#pragma once

#include <torch/types.h>

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// An activation of all samples: of the float network, and in real numbers of the integer one.
struct Twin {
  torch::Tensor real, integer;
};

// Which operand in place of a constant, or of an activation: undefined for what the graph has.
using Substitute = std::function<torch::Tensor(ValueId id)>;

class TwinRun {
 public:
  // Both graphs must outlive the run; nodes are twins by their names. Error: no node has a twin, or
  // samples cannot be computed together.
  static Result<TwinRun> make(const Graph& real, const Graph& integer,
                              std::span<const Tensor> samples);

  int64_t samples() const { return samples_; }
  // Of a node of the integer graph; null for one that quantization added.
  const Node* real_node(const Node& node) const;
  // An activation that has been computed and has a reader left.
  const Twin& at(ValueId id) const;
  // Computes nodes up to `node`, all samples.
  void run_to(size_t node);

  // Nodes [begin, end) of the float network: what they compute joins `live`.
  using Live = std::map<ValueId, torch::Tensor>;
  Live run_real(size_t begin, size_t end, Live live) const;
  // The same in the integer network. `constant`: what stands in for its constants. `rounded`: each
  // activation as it goes on, by default fake_quantized; what no node up to `end` reads is left
  // unrounded.
  using Round = std::function<torch::Tensor(ValueId id, const torch::Tensor& x)>;
  Live run_integer(size_t begin, size_t end, Live live, const Substitute& constant = {},
                   const Round& rounded = {}) const;
  bool is_live(ValueId id) const { return live_.contains(id); }
  // The activations that nodes [begin, end) read of those before.
  std::vector<ValueId> read_by(size_t begin, size_t end) const;
  const Graph& integer() const { return *integer_; }

 private:
  TwinRun(const Graph& real, const Graph& integer) : real_(&real), integer_(&integer) {}
  torch::Tensor real_output(const Node& node, const Substitute& activation) const;
  torch::Tensor integer_output(const Node& node, const Substitute& activation,
                               const Substitute& constant) const;

  const Graph *real_, *integer_;
  std::map<std::string, const Node*> real_nodes_;
  std::vector<size_t> last_reader_;  // per value of the integer graph; SIZE_MAX: kept
  std::map<ValueId, Twin> live_;
  int64_t samples_ = 0;
  size_t next_ = 0;
};

}  // namespace nibble
