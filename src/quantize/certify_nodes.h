// Bounds of sums and of rounding, operator by operator, for certify. Inside quantize/ only.
#pragma once

#include <map>

#include "ops/ops.h"
#include "quantize/bounds.h"

namespace nibble {

class NodeBounds {
 public:
  explicit NodeBounds(const Graph& graph);
  // Of an integer node: fills in accumulator and rescaling. In the order of the graph: what a node
  // can write, the next one reads.
  void add(const Node& node, NodeCertificate& entry);

 private:
  using Entry = NodeCertificate;

  // By operator. What has no overload and is no table is not bounded.
  template <class T>
  void bound(const T&, const Node& node, Entry& entry);
  void bound(const Conv2d& op, const Node& node, Entry& entry);
  void bound(const DepthwiseConv2d& op, const Node& node, Entry& entry);
  void bound(const Dense& op, const Node& node, Entry& entry);
  void bound(const Add&, const Node& node, Entry& entry) { bound_sum(node, entry); }
  void bound(const Sub&, const Node& node, Entry& entry) { bound_sum(node, entry); }
  void bound(const Mul&, const Node& node, Entry& entry);
  void bound(const Mean& op, const Node& node, Entry& entry);
  void bound(const AvgPool2d& op, const Node& node, Entry& entry);
  void bound(const MaxPool2d&, const Node& node, Entry& entry) { bound_copy(node, entry); }
  void bound(const Reshape&, const Node& node, Entry& entry) { bound_copy(node, entry); }
  void bound(const Transpose&, const Node& node, Entry& entry) { bound_copy(node, entry); }
  void bound(const Slice&, const Node& node, Entry& entry) { bound_copy(node, entry); }
  void bound(const ResizeNearest&, const Node& node, Entry& entry) { bound_copy(node, entry); }
  void bound(const Pad& op, const Node& node, Entry& entry);
  void bound(const Concat&, const Node& node, Entry& entry);
  void bound(const Clamp&, const Node& node, Entry& entry) { bound_every_input(node, entry); }
  void bound(const LeakyRelu&, const Node& node, Entry& entry) { bound_every_input(node, entry); }
  void bound(const Quantize& op, const Node& node, Entry& entry);
  void bound(const Softmax& op, const Node& node, Entry& entry);

  void bound_weights(const Node& node, bool padded, Entry& entry);
  void bound_sum(const Node& node, Entry& entry);
  void bound_copy(const Node& node, Entry& entry);
  // Of what maps every element by itself: all values of its input, against the float reference.
  void bound_every_input(const Node& node, Entry& entry);
  void bound_softmax_s8(const Softmax& op, const Node& node, const KernelRequest& request,
                        Entry& entry);
  void bound_softmax_s16(const Softmax& op, const Node& node, const KernelRequest& request,
                         Entry& entry);

  // The only call that the node lowers to; null: it lowers to none or several, or to none at all,
  // which `entry` says then.
  const KernelRequest* request_of(const Node& node, Entry& entry);

  const TensorType& type(ValueId id) const { return graph_.type(id); }
  double scale(ValueId id) const { return static_cast<double>(type(id).quant->scale[0]); }
  int64_t zero(ValueId id) const { return type(id).quant->zero_point[0]; }
  // What the value can be, as integers.
  IntegerRange& range(ValueId id) { return ranges_[static_cast<size_t>(id)]; }
  IntegerRange centred(ValueId id) { return {range(id).min - zero(id), range(id).max - zero(id)}; }
  // The most that the node's output, within its activation, is away from its zero point.
  double out_reach(const Node& node, const KernelRequest& request);
  void narrow_output(const Node& node, const KernelRequest& request);

  const Graph& graph_;
  std::vector<IntegerRange> ranges_;  // per value
  KernelRequest request_;
};

}  // namespace nibble
