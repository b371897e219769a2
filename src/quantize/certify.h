// The proof that a graph computes on integers alone, that no accumulator can overflow, and how far
// the rounding of each node can be from the real number it stands for. Part of the public header
// quantize/quantize.h; doc/quantization.md derives the bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// What a node's accumulator can be, over all inputs that the nodes before it can write.
struct AccumulatorBound {
  int64_t min = 0, max = 0;  // of the finished sum; some inputs attain them
  // Of every sum on the way, in any order of the taps, whether it starts from the bias, from zero
  // or from the bias with the zero point of the input folded in.
  int64_t partial_min = 0, partial_max = 0;
  int width = 32;        // of the accumulator
  int bits = 0;          // that the sums on the way need, with sign
  int64_t channel = -1;  // the output channel that needs most; -1: there is one for all
  int headroom_bits() const { return width - bits; }
};

// How far an output can be from the exact value of what the node computes on its integer inputs,
// in steps of the output, both clamped to the output's range. `steps` is a proven upper bound.
struct RescalingBound {
  double steps = 0;
  double factor_steps = 0;    // of that, by the fixed-point form of the factors
  double rounding_steps = 0;  // and by rounding
  int64_t channel = -1;       // that has it
  bool exhaustive = false;    // not derived: every input was tried
};

struct NodeCertificate {
  std::string node, op;
  bool integer = true;
  std::string why_float;                        // of one that is not
  std::optional<AccumulatorBound> accumulator;  // of what sums up
  std::optional<RescalingBound> rescaling;      // nothing where it is not bounded
  std::string why_unbounded;
};

struct Certificate {
  std::string rounding;  // of the graph: "tflite", "single"
  std::vector<NodeCertificate> nodes;
  // Every node integer, within its accumulator, and bounded.
  bool certified() const;
  // "'softmax' (softmax): kept in float by its name (--keep-float)", one per node that is in the
  // way.
  std::vector<std::string> reasons() const;
};

// Of a graph that has passed verify_graph, made by nibble or imported.
Certificate certify(const Graph& graph);

}  // namespace nibble
