// What a network asks of a core, layer by layer, before anything is fitted: multiply-accumulates,
// outputs and inputs per kind of layer, and from them cycles by the rules of an instruction set's
// reference core (first step of cost/).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// Kinds of layers as engines have kernels for them. kLineDepthwise: a depthwise window that is 1 in
// one axis (streaming models). kElementwise: a sum, product or table per element. kPool: pools,
// means, and what only moves elements.
enum class CostOp {
  kConv,
  kPointwise,
  kDepthwise,
  kLineDepthwise,
  kDense,
  kSoftmax,
  kElementwise,
  kPool
};
inline constexpr size_t kCostOps = 8;
std::string_view cost_op_name(CostOp op);

struct OpTotals {
  double macs = 0, outputs = 0, inputs = 0;
  bool operator==(const OpTotals&) const = default;
};
// Sums over a network's layers, by CostOp. Work is linear in them.
using NetworkTotals = std::array<OpTotals, kCostOps>;

struct LayerTotals {
  std::string name;
  std::string op;
  NetworkTotals totals;  // of this layer alone
};
// Padding taps count as multiply-accumulates, as everybody counts them; a reshape costs nothing.
// The graph may be float or integer: what is counted is what its integer form computes.
std::vector<LayerTotals> layer_totals(const Graph& graph);
NetworkTotals network_totals(const Graph& graph);

// Layers whose speed a few measured networks tell apart: convolutions with a window (and sums of
// images); pointwise and depthwise with pools, which networks have in one ratio; dense.
enum class CostKind { kConv, kSeparable, kDense };
inline constexpr size_t kCostKinds = 3;
using KindVector = std::array<double, kCostKinds>;
inline constexpr std::array<std::string_view, kCostKinds> kCostKindNames = {"conv", "sep", "dense"};

// Instruction sets by whose reference core work is counted: Cortex-M4, M3, M0+, M55, RV32IMAC, none
// of them ever waiting for memory.
enum class CostIsa { kDsp, kThumb2, kThumb, kMve, kRv32 };

// Whose code: tuned for the core by hand or generator; CMSIS-NN; TFLM's reference kernels at -Os;
// C that is tuned but only compiled.
enum class CostProfile { kTuned, kCmsis, kReference, kCompiled };

// Cycles of the reference core per kind:
//   W_kind = sum over ops of  a_op macs + b_op outputs + c_op inputs
// with a, b, c of the profile; work.cc has their values and where each was counted.
KindVector work(const NetworkTotals& totals, CostProfile profile, CostIsa isa);

}  // namespace nibble
