// The operators, one after the other, as their float references in ops/ define them.
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "ops/ops.h"
#include "train/torch_nodes.h"

namespace nibble {
namespace {

using Operands = std::vector<torch::Tensor>;

torch::Tensor clamped(const torch::Tensor& x, const Bounds& act) {
  if (act.none()) return x;
  c10::optional<torch::Scalar> low, high;
  if (std::isfinite(act.min)) low = act.min;
  if (std::isfinite(act.max)) high = act.max;
  return torch::clamp(x, low, high);
}

torch::Tensor channels_first(const torch::Tensor& x) { return x.permute({0, 3, 1, 2}); }
torch::Tensor channels_last(const torch::Tensor& x) { return x.permute({0, 2, 3, 1}); }

torch::Tensor padded(const torch::Tensor& x, const Window& w, double value) {
  if (w.pad_top == 0 && w.pad_left == 0 && w.pad_bottom == 0 && w.pad_right == 0) return x;
  return torch::constant_pad_nd(x, {w.pad_left, w.pad_right, w.pad_top, w.pad_bottom}, value);
}

// filter: O I H W.
torch::Tensor convolution(const Operands& in, const torch::Tensor& filter, const Window& w,
                          int64_t groups) {
  const torch::Tensor bias = in.size() > 2 ? in[2] : torch::Tensor();
  return channels_last(torch::conv2d(
      padded(channels_first(in[0]), w, 0), filter, bias, at::IntArrayRef({w.stride_h, w.stride_w}),
      at::IntArrayRef({0, 0}), at::IntArrayRef({w.dilation_h, w.dilation_w}), groups));
}

// Elements `positions` of axis `axis`.
torch::Tensor selected(const torch::Tensor& x, int64_t axis,
                       const std::vector<int64_t>& positions) {
  return torch::index_select(x, axis, torch::tensor(positions, torch::kInt64));
}

torch::Tensor resized(const torch::Tensor& x, int64_t axis, const ResizeNearest& op, int64_t out) {
  const std::vector<int16_t> positions = source_positions(op, x.size(axis), out);
  return selected(x, axis, {positions.begin(), positions.end()});
}

// One overload per operator.
struct Run {
  const Graph& graph;
  const Node& node;
  const Operands& in;

  // An operand of a sum or product. Broadcasting puts axes that an activation lacks in front of it;
  // its samples stay the first.
  torch::Tensor side(size_t k) const {
    const auto rank = static_cast<int64_t>(graph.type(node.outputs[0]).shape.size());
    if (graph.is_constant(node.inputs[k]) || in[k].dim() == rank) return in[k];
    std::vector<int64_t> shape(static_cast<size_t>(rank), 1);
    shape[0] = in[k].size(0);
    for (int64_t i = 1; i < in[k].dim(); ++i)
      shape[static_cast<size_t>(rank - i)] = in[k].size(in[k].dim() - i);
    return in[k].reshape(shape);
  }

  // An operator without a definition below.
  template <class T>
  torch::Tensor operator()(const T&) const {
    throw LearningError(
        fmt::format("node '{}' ({}): learning does not know this operator's gradient; leave the "
                    "methods that learn out, or add it to src/train/nodes_torch.cc",
                    node.name, op_name(node.op)));
  }
  torch::Tensor operator()(const Conv2d& op) const {
    return clamped(convolution(in, in[1].permute({0, 3, 1, 2}), op.window, op.groups), op.act);
  }
  torch::Tensor operator()(const DepthwiseConv2d& op) const {
    return clamped(
        convolution(in, in[1].permute({3, 0, 1, 2}), op.window, in[0].size(in[0].dim() - 1)),
        op.act);
  }
  torch::Tensor operator()(const Dense& op) const {
    torch::Tensor result = torch::matmul(in[0], in[1].t());
    if (in.size() > 2 && in[2].defined()) result = result + in[2];
    return clamped(result, op.act);
  }
  torch::Tensor operator()(const Add& op) const { return clamped(side(0) + side(1), op.act); }
  torch::Tensor operator()(const Sub& op) const { return clamped(side(0) - side(1), op.act); }
  torch::Tensor operator()(const Mul& op) const { return clamped(side(0) * side(1), op.act); }
  torch::Tensor operator()(const MaxPool2d& op) const {
    const Window& w = op.window;
    return clamped(channels_last(torch::max_pool2d(padded(channels_first(in[0]), w, -INFINITY),
                                                   {op.k_h, op.k_w}, {w.stride_h, w.stride_w}, 0,
                                                   {w.dilation_h, w.dilation_w})),
                   op.act);
  }
  torch::Tensor operator()(const AvgPool2d& op) const {
    const Window& w = op.window;
    // A mean is a convolution of each channel with ones: the one form that knows dilation.
    const int64_t channels = in[0].size(3);
    const torch::Tensor ones = torch::ones({1, 1, op.k_h, op.k_w});
    auto sums = [&](const torch::Tensor& image, int64_t groups) {
      return torch::conv2d(padded(image, w, 0), ones.expand({groups, 1, op.k_h, op.k_w}), {},
                           at::IntArrayRef({w.stride_h, w.stride_w}), at::IntArrayRef({0, 0}),
                           at::IntArrayRef({w.dilation_h, w.dilation_w}), groups);
    };
    const torch::Tensor sum = sums(channels_first(in[0]), channels);
    if (op.count_pad)
      return clamped(channels_last(sum) / static_cast<double>(op.k_h * op.k_w), op.act);
    const torch::Tensor count = sums(torch::ones({1, 1, in[0].size(1), in[0].size(2)}), 1);
    return clamped(channels_last(sum / count), op.act);
  }
  torch::Tensor operator()(const Mean& op) const { return in[0].mean(op.axes, op.keep_dims); }
  torch::Tensor operator()(const Pad& op) const {
    std::vector<int64_t> pads;  // the last axis first
    for (size_t i = op.before.size(); i-- > 0;) {
      pads.push_back(op.before[i]);
      pads.push_back(op.after[i]);
    }
    return torch::constant_pad_nd(in[0], pads, op.value);
  }
  torch::Tensor operator()(const Concat& op) const {
    int64_t samples = 1;
    for (const torch::Tensor& operand : in) samples = std::max(samples, operand.size(0));
    // A constant is the same for all samples.
    Operands parts;
    for (const torch::Tensor& operand : in) {
      std::vector<int64_t> shape = operand.sizes().vec();
      shape[0] = samples;
      parts.push_back(operand.expand(shape));
    }
    return torch::cat(parts, op.axis);
  }
  torch::Tensor operator()(const Reshape& op) const {
    std::vector<int64_t> shape = op.shape;
    shape[0] = in[0].size(0);
    return in[0].reshape(shape);
  }
  torch::Tensor operator()(const Transpose& op) const { return in[0].permute(op.perm); }
  torch::Tensor operator()(const Slice& op) const {
    torch::Tensor result = in[0];
    for (size_t axis = 1; axis < op.begin.size(); ++axis) {
      std::vector<int64_t> positions;
      for (int64_t i = 0; i < op.extent[axis]; ++i)
        positions.push_back(op.begin[axis] + i * op.step[axis]);
      result = selected(result, static_cast<int64_t>(axis), positions);
    }
    return result;
  }
  torch::Tensor operator()(const ResizeNearest& op) const {
    return resized(resized(in[0], 1, op, op.out_h), 2, op, op.out_w);
  }
  torch::Tensor operator()(const BatchNorm& op) const {
    return in[1] * (in[0] - in[3]) / torch::sqrt(in[4] + op.epsilon) + in[2];
  }
  torch::Tensor operator()(const Clamp& op) const { return clamped(in[0], op.act); }
  torch::Tensor operator()(const LeakyRelu& op) const { return torch::leaky_relu(in[0], op.alpha); }
  torch::Tensor operator()(const Sigmoid&) const { return torch::sigmoid(in[0]); }
  torch::Tensor operator()(const Tanh&) const { return torch::tanh(in[0]); }
  torch::Tensor operator()(const HardSwish&) const { return torch::hardswish(in[0]); }
  torch::Tensor operator()(const HardSigmoid& op) const {
    return torch::clamp(op.alpha * in[0] + op.beta, 0, 1);
  }
  torch::Tensor operator()(const Softmax& op) const { return torch::softmax(op.beta * in[0], -1); }
  torch::Tensor operator()(const Quantize&) const { return in[0]; }
  torch::Tensor operator()(const Dequantize&) const { return in[0]; }
};

// Whether the operator leaves the first axis alone.
struct KeepsSamples {
  const Graph& graph;
  const Node& node;

  const Shape& shape(ValueId id) const { return graph.type(id).shape; }
  size_t rank() const { return shape(node.inputs[0]).size(); }
  template <class T>
  bool operator()(const T&) const {
    return true;
  }
  bool operator()(const Mean& op) const { return op.axes.empty() || op.axes[0] != 0; }
  bool operator()(const Softmax&) const { return rank() > 1; }
  bool operator()(const Dense&) const { return rank() > 1; }
  bool operator()(const Pad& op) const { return op.before[0] == 0 && op.after[0] == 0; }
  bool operator()(const Concat& op) const { return op.axis != 0; }
  bool operator()(const Transpose& op) const { return op.perm[0] == 0; }
  bool operator()(const Slice& op) const {
    return op.begin[0] == 0 && op.extent[0] == shape(node.inputs[0])[0];
  }
};

// A constant among the operands of a sum or product must not differ from sample to sample; that is,
// all first axes are 1.
bool one_sample(const Graph& graph, ValueId id) {
  const Shape& shape = graph.type(id).shape;
  return !shape.empty() && shape[0] == 1;
}

}  // namespace

torch::Tensor to_torch(const nibble::Tensor& tensor) {
  const nibble::Tensor real = tensor.dtype() == DType::kF32 ? tensor : dequantize_tensor(tensor);
  auto values = real.data<float>();
  torch::Tensor result = torch::empty(real.shape(), torch::kFloat32);
  std::copy(values.begin(), values.end(), result.data_ptr<float>());
  return result;
}

nibble::Tensor from_torch(const torch::Tensor& tensor, const Shape& shape) {
  const torch::Tensor flat = tensor.detach().contiguous().to(torch::kFloat32);
  return nibble::Tensor::of_floats(
      shape, std::span(flat.data_ptr<float>(), static_cast<size_t>(flat.numel())));
}

Status check_batchable(const Graph& graph) {
  for (const Port& port : graph.inputs)
    if (!one_sample(graph, port.value))
      return input_error(
          fmt::format("the input '{}' is {}: its first extent must be 1, the "
                      "sample; leave out the methods that learn",
                      graph.value(port.value).name, format_shape(graph.type(port.value).shape)));
  for (const Node& node : graph.nodes) {
    const bool kept = std::visit(KeepsSamples{graph, node}, node.op);
    if (kept && one_sample(graph, node.outputs[0])) continue;
    return input_error(fmt::format(
        "node '{}' ({}) mixes the first axis with others: samples cannot be computed together, as "
        "learning needs them; leave out the methods that learn",
        node.name, op_name(node.op)));
  }
  return {};
}

torch::Tensor torch_node(const Graph& graph, const Node& node,
                         const std::vector<torch::Tensor>& operands) {
  return std::visit(Run{graph, node, operands}, node.op);
}

}  // namespace nibble
