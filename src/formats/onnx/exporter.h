// The state of an export to ONNX, and what the exporters of the single operators write with. Inside
// formats/ only.
//
// A value of the graph is N H W C, ONNX computes on N C H W. Every value is held by one tensor of
// the file or more, each with its order of axes: axis i of the tensor is axis axes[i] of the value.
// An operator says in which order it wants its operands and in which its result is; a Transpose is
// written only where a value is wanted in an order that it is not held in. A transpose of the graph
// writes nothing: its result is the same tensor, the axes named anew.
//
// Quantized values are written as ONNX's tools expect them: the operator computes in float, its
// result goes through a QuantizeLinear and a DequantizeLinear, and readers read what comes out
// there.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/formats.h"
#include "formats/onnx/proto.h"
#include "graph/graph.h"

namespace nibble {

// Channels moved behind the batch: N C H W of N H W C, and the same for other ranks from 2 on.
Perm channels_first(size_t rank);

class ExportNode;

class OnnxExporter {
 public:
  OnnxExporter(const Graph& graph, const OnnxOptions& options);
  Result<std::vector<uint8_t>> write();

 private:
  friend class ExportNode;

  // A value in the file. Inputs of the file are quantized where a reader first wants them, so that
  // the Transpose at the border stands before the QuantizeLinear.
  struct Held {
    std::string real;  // the tensor before its QuantizeLinear
    Perm real_axes;
    bool is_input = false;                              // `real` is an input of the file
    std::vector<std::pair<Perm, std::string>> tensors;  // what readers take, by order of axes
  };

  // --- The file (exporter.cc).
  std::string fresh_name(const std::string& base);
  // A value's own name for the first tensor that asks for it, which is what the operator gives: a
  // reader that makes an integer operator of it finds the value's name there. Others get a suffix.
  std::string take_name(const std::string& value, const std::string& suffix);
  onnx::NodeProto& add_node(const std::string& type, const std::string& name,
                            const std::vector<std::string>& inputs, const std::string& output);
  // Under names that nothing has.
  std::string add_floats(const std::string& name, const Shape& shape, std::span<const float> elems);
  std::string add_integers(const std::string& name, std::span<const int64_t> elems);
  void rename(const std::string& from, const std::string& to);
  Status write_inputs();
  Status write_outputs();
  Status write_output(const Port& port);
  void declare(onnx::ValueInfoProto& info, const std::string& name, const Shape& shape);

  // --- Values (export_values.cc).
  Status check_value(ValueId id) const;
  // The tensor that readers take, in this order of axes.
  std::string operand(ValueId id, const Perm& axes);
  std::string moved(const std::string& from, const Perm& from_axes, const Perm& axes, ValueId id);
  std::string quantized(const std::string& real, ValueId id);
  std::string limited(const std::string& real, ValueId id, const Bounds& act, bool in_range);
  void hold(ValueId id, const std::string& real, const Perm& axes, const Bounds& act,
            bool in_range);
  // --- Constants, in this order of axes; quantized ones behind a DequantizeLinear.
  std::string constant(Tensor tensor, const std::string& name);
  std::string constant_value(ValueId id, const Perm& axes, size_t rank);
  std::string bias(ValueId id, const TensorType& src, const TensorType& filter);
  // The constant that a dequantize of a constant stands for; otherwise the value itself.
  ValueId resolved(ValueId id) const;
  // The initializers of a value's scale and zero point.
  std::vector<std::string> parameters(const std::string& name, const QuantParams& quant,
                                      int onnx_type);

  const Graph& graph_;
  const OnnxOptions options_;
  onnx::ModelProto model_;
  onnx::GraphProto& file_;
  int64_t opset_;
  std::set<std::string> names_;      // of tensors, and those that values will take
  std::set<std::string> taken_;      // values' names that a tensor has
  std::set<std::string> outputs_;    // tensors that are outputs of the file
  std::vector<Held> held_;           // by ValueId
  std::vector<ValueId> stands_for_;  // by ValueId: a dequantized constant's integers
  std::map<std::pair<ValueId, Perm>, std::string> constants_;
  std::map<ValueId, std::vector<std::string>> parameters_;
};

// One node while it is written.
class ExportNode {
 public:
  ExportNode(OnnxExporter& exporter, const Node& node) : exporter_(exporter), node_(node) {}

  const Node& node() const { return node_; }
  const Shape& shape(size_t input) const { return type(input).shape; }
  const TensorType& type(size_t input) const { return exporter_.graph_.type(node_.inputs[input]); }
  const TensorType& out_type() const { return exporter_.graph_.type(node_.outputs[0]); }
  bool has_input(size_t input) const {
    return input < node_.inputs.size() && node_.inputs[input] != kNoValue;
  }
  int64_t opset() const { return exporter_.opset_; }

  // An order of axes that an operand is held in: channels first if there is such, so that what is
  // between two convolutions needs no Transpose.
  Perm held_axes(size_t input) const;
  // The same for operands that are combined element by element into a result of this rank.
  Perm common_axes(size_t rank) const;
  // A tensor of operand 0 in another shape of as many elements, and the last operator's output as
  // the node's result in the result's own shape. Quantized, where the value is, on both sides of
  // the Reshape, so that every operator stands between a DequantizeLinear and a QuantizeLinear.
  std::string rows(const std::string& tensor, const Shape& shape);
  Status finish_rows();
  // Some tensor with the operand's elements in the order of the graph, whatever its extents.
  std::string flat_input(size_t input);
  std::string input(size_t input, const Perm& axes);
  // The operand with leading axes of extent 1 added up to `rank`.
  std::string input(size_t input, const Perm& axes, size_t rank);
  std::string bias(size_t input, size_t filter);
  std::string floats(const std::string& suffix, const Shape& shape, std::span<const float> elems);
  std::string integers(const std::string& suffix, std::span<const int64_t> elems);

  // Appends an operator; its output is real.
  onnx::NodeProto& add(const std::string& op_type, const std::vector<std::string>& inputs);
  const std::string& last() const { return last_; }
  // The last operator's output, or `real`, is the node's result: clamped by its activation,
  // quantized if the value is.
  Status finish(const Perm& axes);
  Status finish(const std::string& real, const Perm& axes);
  // The result is the operand, its axes named anew: axis i of the result is axis perm[i] of it.
  Status alias(size_t input, const Perm& perm);
  // Of a quantize: where its operand is a real input of the file, the result is held as a quantized
  // input is, so that a Transpose stands before the QuantizeLinear.
  bool hold_input();
  Error error(const std::string& why) const;

 private:
  // The operator added last gives the value its name.
  void name_result();

  OnnxExporter& exporter_;
  const Node& node_;
  std::string last_;
};

// Writes one node (export_node.cc, export_layers.cc, export_moves.cc).
Status export_node(ExportNode& node, const Op& op);
Status export_conv2d(ExportNode& node, const Conv2d& op);
Status export_depthwise(ExportNode& node, const DepthwiseConv2d& op);
Status export_dense(ExportNode& node);
Status export_max_pool(ExportNode& node, const MaxPool2d& op);
Status export_avg_pool(ExportNode& node, const AvgPool2d& op);
Status export_mean(ExportNode& node, const Mean& op);
Status export_resize(ExportNode& node, const ResizeNearest& op);
Status export_batch_norm(ExportNode& node, const BatchNorm& op);
Status export_pad(ExportNode& node, const Pad& op);
Status export_concat(ExportNode& node, const Concat& op);
Status export_reshape(ExportNode& node, const Reshape& op);
Status export_slice(ExportNode& node, const Slice& op);
Status export_softmax(ExportNode& node, const Softmax& op);
Status export_leaky_relu(ExportNode& node, const LeakyRelu& op);
Status export_hard_sigmoid(ExportNode& node, const HardSigmoid& op);

// Attributes.
void set_attribute(onnx::NodeProto& node, const std::string& name, int64_t value);
void set_attribute(onnx::NodeProto& node, const std::string& name, float value);
void set_attribute(onnx::NodeProto& node, const std::string& name, const std::string& value);
void set_attribute(onnx::NodeProto& node, const std::string& name,
                   const std::vector<int64_t>& values);

}  // namespace nibble
