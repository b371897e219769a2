// Emulated quantization: the network in float32, with every weight and every activation rounded to
// what its settings can hold. It is how number formats that no target computes in, ranges that
// follow each sample, and single quantized layers are measured. Biases stay in float.
#pragma once

#include <functional>
#include <vector>

#include "quantize/options.h"

namespace nibble {

class Emulation {
 public:
  // Prepares and calibrates as quantize() does, with the same settings and errors; nodes kept in
  // float are left alone. Errors also: methods that refine or learn, which work on the integer
  // network.
  static Result<Emulation> make(const Graph& graph, const CalibrationData& data,
                                const QuantizeOptions& options);
  // Without calibrating: what `integer` holds, on the float graph that it was made from (quantize()
  // and QuantizeReport::prepared), refined weights, biases and ranges included. `rounded` says of a
  // value of `real` whether it is rounded, with the constants of the node that writes it. Values
  // keep their ids, so that several such emulations can go on from one run.
  static Emulation of(const Graph& real, const Graph& integer,
                      const std::function<bool(ValueId value)>& rounded);

  // The float graph with rounded weights.
  const Graph& graph() const { return graph_; }
  // Rounds a value of that graph as a run computes it.
  void round(ValueId id, Tensor& tensor) const;
  // Weights in their formats, biases in 4 bytes each.
  int64_t weight_bytes() const { return weight_bytes_; }

 private:
  struct Rule {
    bool rounded = false;
    ActivationSettings settings;
    QuantParams params;  // static integers
    double largest = 0;  // of the calibration set, for number formats
  };

  Graph graph_;
  std::vector<Rule> rules_;  // per value
  int64_t weight_bytes_ = 0;
};

// Whether the settings of some layer of the graph ask for what only emulation computes.
bool needs_emulation(const Graph& graph, const QuantizeOptions& options);

}  // namespace nibble
