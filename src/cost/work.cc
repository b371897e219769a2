// Totals of a graph and the profiles that turn them into cycles of a reference core.
#include "cost/work.h"

#include <cmath>

#include "ops/ops.h"

namespace nibble {
namespace {

bool is_one(const Shape& filter, size_t axis) { return filter[axis] == 1; }

template <class... Types>
bool is_any(const Op& op) {
  return (std::holds_alternative<Types>(op) || ...);
}

// Nothing where the operator costs nothing.
std::optional<CostOp> cost_op(const Graph& graph, const Node& node) {
  auto filter = [&]() -> const Shape& { return graph.type(node.inputs[1]).shape; };
  if (is_any<Conv2d>(node.op))
    return is_one(filter(), 1) && is_one(filter(), 2) ? CostOp::kPointwise : CostOp::kConv;
  if (is_any<DepthwiseConv2d>(node.op))
    return is_one(filter(), 1) || is_one(filter(), 2) ? CostOp::kLineDepthwise : CostOp::kDepthwise;
  if (is_any<Dense>(node.op)) return CostOp::kDense;
  if (is_any<Softmax>(node.op)) return CostOp::kSoftmax;
  if (is_any<Reshape>(node.op)) return std::nullopt;
  if (is_any<MaxPool2d, AvgPool2d, Mean, Pad, Concat, Transpose, Slice, ResizeNearest>(node.op))
    return CostOp::kPool;
  return CostOp::kElementwise;
}

double elements(const Graph& graph, ValueId id) {
  double count = 1;
  for (int64_t extent : graph.type(id).shape) count *= static_cast<double>(extent);
  return count;
}

struct Rate {
  double per_mac = 0, per_output = 0;
};
// Softmax and line depthwise follow from the others (see work()).
struct Rates {
  Rate conv, pointwise, depthwise, dense;
  double elementwise = 0;  // per output
  double pool = 0;         // per input

  Rates scaled(double factor) const {
    return times(
        {{factor, factor}, {factor, factor}, {factor, factor}, {factor, factor}, factor, factor});
  }
  // Rate by rate; `by` has one factor for a rate in per_mac.
  Rates times(const Rates& by) const {
    auto product = [](Rate rate, Rate factor) {
      return Rate{rate.per_mac * factor.per_mac, rate.per_output * factor.per_mac};
    };
    return {product(conv, by.conv),           product(pointwise, by.pointwise),
            product(depthwise, by.depthwise), product(dense, by.dense),
            elementwise * by.elementwise,     pool * by.pool};
  }
};

Rates factors(double conv, double pointwise, double depthwise, double dense, double elementwise,
              double pool) {
  return {{conv, 0}, {pointwise, 0}, {depthwise, 0}, {dense, 0}, elementwise, pool};
}

// Least squares of the static cycles that nibble's kernels are predicted to take (KernelCall::
// cycles) on anomaly detection, image classification and keyword spotting of MLPerf Tiny; on the
// Cortex-M4 their sums agree with those of the emulated instructions within 1 %. Targets:
// mps2-an386, mps2-an385, rp2040, mps3-an547, riscv32-virt.
Rates tuned(CostIsa isa) {
  switch (isa) {
    case CostIsa::kDsp:
      return {{.975, 19.8}, {.947, 17.5}, {2.617, 0}, {1.336, 13.5}, 12, 2.3};
    case CostIsa::kThumb2:
      return {{2.939, 53.9}, {2.899, 43.6}, {5.193, 0}, {2.323, 41}, 12, 2.5};
    case CostIsa::kThumb:
      return {{3.756, 94.7}, {3.462, 89.3}, {13.0, 0}, {4.241, 60}, 20, 3.5};
    case CostIsa::kMve:
      return {{.122, 6}, {.137, 3.1}, {.885, 0}, {.171, 5.7}, 3.8, .6};
    case CostIsa::kRv32:
      return {{3.001, 58.1}, {2.961, 38.2}, {4.838, 0}, {2.562, 39}, 11, 1.7};
  }
  NIBBLE_UNREACHABLE("isa {}", static_cast<int>(isa));
}

// Instructions of CMSIS-NN on a Cortex-M4: 64 operators run on the emulator, median error 0 to 4 %.
constexpr Rates kCmsisInstructions = {{1.586, 92.3}, {1.414, 40}, {7.756, 0},
                                      {1.878, 49},   81.7,        6.3};

// Cycles per instruction: on the Cortex-M4 by the rules of cost/timing.h over every executed
// instruction of the four networks; elsewhere the ratio of counted totals to the M4's, times the
// mean of that core's rules.
Rates cmsis(CostIsa isa) {
  switch (isa) {
    case CostIsa::kDsp:
      return kCmsisInstructions.times(factors(1.347, 1.205, 1.177, 1.24, 1.248, 1.475));
    case CostIsa::kThumb2:
      return kCmsisInstructions.times(factors(1.40, 1.37, 1.37, 1.64, 1, 1)).scaled(1.35);
    case CostIsa::kThumb:
      return kCmsisInstructions.times(factors(3.27, 3.77, 3.77, 3.03, 2.1, 1.5)).scaled(1.45);
    case CostIsa::kMve:
      return Rates{{.130, 34.8}, {.171, 14.4}, {2.45, 0}, {.445, 15}, 13.9, 1.1}.scaled(1.15);
    case CostIsa::kRv32:
      return kCmsisInstructions.times(factors(2.66, 2.9, 2.15, 3.5, 1.5, 1.3)).scaled(1.15);
  }
  NIBBLE_UNREACHABLE("isa {}", static_cast<int>(isa));
}

// Mean cycles per instruction of compiled scalar C.
double scalar_cycles(CostIsa isa) {
  switch (isa) {
    case CostIsa::kDsp:
    case CostIsa::kThumb2:
      return 1.3;
    case CostIsa::kThumb:
      return 2.2;
    case CostIsa::kMve:
      return 1.1;
    case CostIsa::kRv32:
      return 1.15;
  }
  NIBBLE_UNREACHABLE("isa {}", static_cast<int>(isa));
}

// TFLM's reference kernels, gcc -Os, counted on the emulated Cortex-M4.
constexpr Rates kReferenceInstructions = {{43, 60}, {43, 60}, {105, 0}, {15.4, 58}, 92, 7.3};
// onnx2c's integer C, counted likewise.
constexpr Rates kOnnx2cInstructions = {{8.7, 20}, {6.4, 20}, {12, 20}, {7.5, 20}, 20, 5};

// Somewhere between a library and plain C: the geometric mean (outputs shifted by one, as a rate
// may be zero).
Rates between(const Rates& a, const Rates& b) {
  auto mean = [](Rate x, Rate y) {
    return Rate{std::sqrt(x.per_mac * y.per_mac),
                std::sqrt((x.per_output + 1) * (y.per_output + 1)) - 1};
  };
  return {mean(a.conv, b.conv),
          mean(a.pointwise, b.pointwise),
          mean(a.depthwise, b.depthwise),
          mean(a.dense, b.dense),
          std::sqrt(a.elementwise * b.elementwise),
          std::sqrt(a.pool * b.pool)};
}

Rates rates_of(CostProfile profile, CostIsa isa) {
  switch (profile) {
    case CostProfile::kTuned:
      return tuned(isa);
    case CostProfile::kCmsis:
      return cmsis(isa);
    case CostProfile::kReference:
      return kReferenceInstructions.scaled(scalar_cycles(isa));
    case CostProfile::kCompiled:
      return between(kCmsisInstructions, kOnnx2cInstructions).scaled(scalar_cycles(isa));
  }
  NIBBLE_UNREACHABLE("profile {}", static_cast<int>(profile));
}

}  // namespace

std::string_view cost_op_name(CostOp op) {
  constexpr std::string_view kNames[kCostOps] = {"conv",           "pointwise", "depthwise",
                                                 "line_depthwise", "dense",     "softmax",
                                                 "elementwise",    "pool"};
  return kNames[static_cast<size_t>(op)];
}

std::vector<LayerTotals> layer_totals(const Graph& graph) {
  std::vector<LayerTotals> layers;
  for (const Node& node : graph.nodes) {
    LayerTotals& layer =
        layers.emplace_back(LayerTotals{node.name, std::string(op_name(node.op)), {}});
    const std::optional<CostOp> op = cost_op(graph, node);
    if (!op) continue;
    OpTotals& totals = layer.totals[static_cast<size_t>(*op)];
    totals.macs = static_cast<double>(node_macs(graph, node));
    for (ValueId id : node.outputs) totals.outputs += elements(graph, id);
    // Of a move, what it writes: a slice reads no more.
    const bool reduces = is_any<MaxPool2d, AvgPool2d, Mean>(node.op);
    totals.inputs = reduces ? elements(graph, node.inputs[0]) : totals.outputs;
  }
  return layers;
}

NetworkTotals network_totals(const Graph& graph) {
  NetworkTotals sum;
  for (const LayerTotals& layer : layer_totals(graph)) {
    for (size_t i = 0; i < kCostOps; ++i) {
      sum[i].macs += layer.totals[i].macs;
      sum[i].outputs += layer.totals[i].outputs;
      sum[i].inputs += layer.totals[i].inputs;
    }
  }
  return sum;
}

KindVector work(const NetworkTotals& totals, CostProfile profile, CostIsa isa) {
  const Rates rates = rates_of(profile, isa);
  auto of = [&](CostOp op) -> const OpTotals& { return totals[static_cast<size_t>(op)]; };
  auto cycles = [](Rate rate, const OpTotals& op) {
    return rate.per_mac * op.macs + rate.per_output * op.outputs;
  };
  // Kernels tuned for square windows fall back to slower code on a line; others have one kernel.
  const double line_factor = profile == CostProfile::kTuned ? 3 : 1;
  const double softmax_cycles = profile == CostProfile::kCmsis ? 300 : 100;  // per output
  return {
      cycles(rates.conv, of(CostOp::kConv)) + rates.elementwise * of(CostOp::kElementwise).outputs,
      cycles(rates.pointwise, of(CostOp::kPointwise)) +
          cycles(rates.depthwise, of(CostOp::kDepthwise)) +
          line_factor * cycles(rates.depthwise, of(CostOp::kLineDepthwise)) +
          rates.pool * of(CostOp::kPool).inputs,
      cycles(rates.dense, of(CostOp::kDense)) + softmax_cycles * of(CostOp::kSoftmax).outputs};
}

}  // namespace nibble
