// The public header of ops/: what each operator is. One file per operator defines the members of
// OpDef<Op>; the functions below dispatch to it by the operator of a node.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// Operand types of a node, in order; null for an absent operand. `constant` is null for
// activations.
struct OperandInfo {
  const TensorType* type = nullptr;
  const Tensor* constant = nullptr;
};
using Operands = std::span<const OperandInfo>;
// Elements at run time; null for an absent operand.
using Inputs = std::span<const Tensor* const>;

// How quantize/ has to treat an operator.
struct QuantRule {
  // kCalibrated: the output gets its own range. kSameAsInput: output parameters = those of operand
  // 0 (pools, reshapes). kFixed: the output's parameters do not depend on data (softmax). kFloat:
  // only float execution.
  enum class Output { kCalibrated, kSameAsInput, kFixed, kFloat } output = Output::kCalibrated;
  float fixed_scale = 0;
  int32_t fixed_zero_point = 0;
  // Operands that are quantized as weights (symmetric) and as bias (s32, scale = src scale * weight
  // scale).
  int weight = -1;
  int weight_channel_axis = 0;  // axis of the weight that counts output channels
  int bias = -1;
};

// Defined by each operator in ops/NAME.cc; a missing member is a link error.
template <class T>
struct OpDef {
  // Checks attributes and operands (number, ranks, extents, element types), returns the output
  // types without quantization. Errors speak of the operator's own terms; the caller adds node and
  // file.
  static Result<std::vector<TensorType>> infer(const T& op, Operands in);
  // Whether run_integer is defined for these types (widths, scales, accumulator bound).
  static Status verify_integer(const T& op, Rounding rounding, Operands in, const TensorType& out);
  // All operands f32. `out` arrives with its type and zero-filled.
  static void run_float(const T& op, Inputs in, Tensor& out);
  // Exact integer semantics, doc/quantization.md. Types have passed verify_integer.
  static void run_integer(const T& op, Rounding rounding, Inputs in, Tensor& out);
  static QuantRule quant_rule(const T& op);
  // The kernel calls that compute this node; empty means that the output is the input's own bytes
  // (reshape). Types have passed verify_integer. `src` of a request holds positions of operands (0
  // is the first; left empty it means {0}); lower_node puts the values in their place and fills in
  // dst. Error: nothing but types and shapes that the references compute and no kernel does.
  static Result<std::vector<KernelRequest>> lower(const T& op, Rounding rounding, Operands in,
                                                  const TensorType& out);
  // Multiply-accumulates of one execution, padding taps counted; 0 for what has none.
  static int64_t macs(const T& op, Operands in, const TensorType& out);
};

// --- By node. `graph` gives the types. Errors are prefixed with the node's name and operator.
std::vector<OperandInfo> operand_info(const Graph& graph, const Node& node);
Result<std::vector<TensorType>> infer_types(const Op& op, Operands in);
QuantRule quant_rule(const Op& op);
int64_t node_macs(const Graph& graph, const Node& node);
// src and dst of each request are filled in with the node's value ids. Error: what no kernel takes,
// by design: weights with zero points, groups or more than 8 bits, and what OpDef::lower refuses.
Result<std::vector<KernelRequest>> lower_node(const Graph& graph, const Node& node);
// Whether the node computes on integers (or is at their border) that kernels take. What they do not
// take is left to the references, on the host; anything else that lowering refuses is our bug.
bool kernels_take(const Graph& graph, const Node& node);
// Whether the node computes on integers (all its activations are integers with QuantParams).
bool is_integer_node(const Graph& graph, const Node& node);

// Whether the operator is defined on integers of these types, with an output of this one.
bool integer_ok(const Op& op, Rounding rounding, Operands in, const TensorType& out);

// verify_structure, then every node: operands, output types, and integer semantics where it
// computes on integers.
Status verify_graph(const Graph& graph, VerifyLevel level);

// Appends a node, inferring its output types (the first is given `quant`). The name is made unique.
// Importers and passes build with it.
Result<ValueId> append_node(Graph& graph, Op op, const std::string& name,
                            std::vector<ValueId> inputs,
                            std::optional<QuantParams> quant = std::nullopt,
                            std::optional<DType> dtype = std::nullopt);
ValueId append_constant(Graph& graph, const std::string& name, Tensor tensor);
ValueId append_input(Graph& graph, const std::string& name, TensorType type);

// --- Execution of whole graphs on the references.
// Called after each node with its outputs, before any other node reads them. What it changes of
// them is what the others read.
using NodeObserver = std::function<void(const Node& node, std::span<Tensor> outputs)>;

// Executes a graph, float or integer or both, one sample at a time. Keeps packed weights and float
// primitives between calls; not thread-safe: one Interpreter per thread.
class Interpreter {
 public:
  // The graph must outlive the interpreter and has passed verify_graph.
  explicit Interpreter(const Graph& graph);
  ~Interpreter();
  Interpreter(Interpreter&&) noexcept;
  // `inputs` match the types of graph.inputs (in the graph's layout). Returns one tensor per graph
  // output.
  std::vector<Tensor> run(std::span<const Tensor> inputs, const NodeObserver& observer = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One node on given operands, by its operator's references (constant folding, layer-wise
// comparison).
std::vector<Tensor> run_node(const Graph& graph, const Node& node, Inputs in);

// --- Quantization arithmetic shared by references, quantize/ and the command line.
// q = clamp(round_half_away(real / scale) + zero_point), as TFLite's AffineQuantize; axis as in
// QuantParams.
Tensor quantize_tensor(const Tensor& real, const TensorType& type);
Tensor dequantize_tensor(const Tensor& quantized);
// The value of an ascending codebook (QuantParams) nearest to q, the lower one of two as near.
int32_t nearest_level(std::span<const int32_t> codebook, double q);

// The source position of each of `out` positions along an axis of `in` (graph/operators.h).
std::vector<int16_t> source_positions(const ResizeNearest& op, int64_t in, int64_t out);

}  // namespace nibble
