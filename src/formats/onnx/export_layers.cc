// Layers with weights, pools, means, batch normalization and softmax as ONNX has them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/exporter.h"
#include "ops/ops.h"

namespace nibble {
namespace {

const Perm kImage = {0, 3, 1, 2};

void set_window(onnx::NodeProto& node, int64_t k_h, int64_t k_w, const Window& window,
                bool dilates) {
  set_attribute(node, "kernel_shape", std::vector<int64_t>{k_h, k_w});
  set_attribute(node, "strides", std::vector<int64_t>{window.stride_h, window.stride_w});
  set_attribute(
      node, "pads",
      std::vector<int64_t>{window.pad_top, window.pad_left, window.pad_bottom, window.pad_right});
  if (dilates || window.dilation_h != 1 || window.dilation_w != 1)
    set_attribute(node, "dilations", std::vector<int64_t>{window.dilation_h, window.dilation_w});
}

Status export_conv(ExportNode& node, const Window& window, int64_t k_h, int64_t k_w, int64_t groups,
                   const Perm& filter_axes) {
  std::vector<std::string> inputs = {node.input(0, kImage), node.input(1, filter_axes)};
  if (node.has_input(2)) inputs.push_back(node.bias(2, 1));
  onnx::NodeProto& proto = node.add("Conv", inputs);
  set_window(proto, k_h, k_w, window, true);
  set_attribute(proto, "group", groups);
  return node.finish(kImage);
}

// Padding behind the last window's last tap is not read; runtimes refuse pads as wide as the
// window.
int64_t needed_after(int64_t in, int64_t out, int64_t k, int64_t stride, int64_t dilation,
                     int64_t before) {
  return std::max<int64_t>((out - 1) * stride + (k - 1) * dilation + 1 - in - before, 0);
}

Window trimmed(const Window& window, int64_t k_h, int64_t k_w, const Shape& in, const Shape& out) {
  Window result = window;
  result.pad_bottom =
      needed_after(in[1], out[1], k_h, window.stride_h, window.dilation_h, window.pad_top);
  result.pad_right =
      needed_after(in[2], out[2], k_w, window.stride_w, window.dilation_w, window.pad_left);
  return result;
}

// Where the axes that a mean leaves stand: the axes of the result in the order of the tensor's.
Perm axes_left(const Perm& axes, const std::vector<int64_t>& reduced) {
  Perm left;
  for (int64_t axis : axes)
    if (!std::ranges::count(reduced, axis)) left.push_back(axis);
  Perm result;
  for (int64_t axis : left)
    result.push_back(std::ranges::count_if(left, [&](int64_t other) { return other < axis; }));
  return result;
}

}  // namespace

Status export_conv2d(ExportNode& node, const Conv2d& op) {
  return export_conv(node, op.window, node.shape(1)[1], node.shape(1)[2], op.groups, {0, 3, 1, 2});
}

// The filter 1 H W C*M is C*M groups of outputs, M of each channel.
Status export_depthwise(ExportNode& node, const DepthwiseConv2d& op) {
  return export_conv(node, op.window, node.shape(1)[1], node.shape(1)[2], node.shape(0)[3],
                     {3, 0, 1, 2});
}

// Gemm multiplies matrices; an operand of another rank is one of rows.
Status export_dense(ExportNode& node) {
  const Shape& src = node.shape(0);
  const bool is_matrix = src.size() == 2;
  std::string rows = is_matrix ? node.input(0, {0, 1}) : node.flat_input(0);
  if (!is_matrix) rows = node.rows(rows, {elem_count(src) / src.back(), src.back()});
  std::vector<std::string> inputs = {rows, node.input(1, {0, 1})};
  if (node.has_input(2)) inputs.push_back(node.bias(2, 1));
  set_attribute(node.add("Gemm", inputs), "transB", int64_t{1});
  if (is_matrix) return node.finish({0, 1});
  return node.finish_rows();
}

Status export_max_pool(ExportNode& node, const MaxPool2d& op) {
  onnx::NodeProto& proto = node.add("MaxPool", {node.input(0, kImage)});
  set_window(proto, op.k_h, op.k_w,
             trimmed(op.window, op.k_h, op.k_w, node.shape(0), node.out_type().shape), false);
  return node.finish(kImage);
}

Status export_avg_pool(ExportNode& node, const AvgPool2d& op) {
  onnx::NodeProto& proto = node.add("AveragePool", {node.input(0, kImage)});
  set_window(proto, op.k_h, op.k_w,
             trimmed(op.window, op.k_h, op.k_w, node.shape(0), node.out_type().shape), false);
  set_attribute(proto, "count_include_pad", int64_t{op.count_pad ? 1 : 0});
  return node.finish(kImage);
}

Status export_mean(ExportNode& node, const Mean& op) {
  const Perm axes = node.held_axes(0);
  const std::string src = node.input(0, axes);
  if (axes == kImage && op.keep_dims && op.axes == std::vector<int64_t>{1, 2}) {
    node.add("GlobalAveragePool", {src});
    return node.finish(axes);
  }
  std::vector<int64_t> places;
  for (size_t i = 0; i < axes.size(); ++i)
    if (std::ranges::count(op.axes, axes[i])) places.push_back(static_cast<int64_t>(i));
  // No axes is all axes to ReduceMean, none here.
  if (places.empty()) return node.finish(src, axes);
  constexpr int64_t kAxesAreAnInput = 18;
  std::vector<std::string> inputs = {src};
  if (node.opset() >= kAxesAreAnInput) inputs.push_back(node.integers("axes", places));
  onnx::NodeProto& proto = node.add("ReduceMean", inputs);
  if (node.opset() < kAxesAreAnInput) set_attribute(proto, "axes", places);
  set_attribute(proto, "keepdims", int64_t{op.keep_dims ? 1 : 0});
  return node.finish(op.keep_dims ? axes : axes_left(axes, op.axes));
}

// ONNX normalizes along its second axis; a vector becomes one of a matrix for that.
Status export_batch_norm(ExportNode& node, const BatchNorm& op) {
  const size_t rank = node.shape(0).size();
  const int64_t channels = node.shape(0).back();
  const Perm axes = channels_first(rank);
  std::string src = node.input(0, axes);
  if (rank == 1) src = node.rows(src, {1, channels});
  std::vector<std::string> inputs = {src};
  for (size_t i = 1; i < 5; ++i)
    inputs.push_back(node.input(i, identity_perm(node.shape(i).size())));
  set_attribute(node.add("BatchNormalization", inputs), "epsilon", op.epsilon);
  return rank == 1 ? node.finish_rows() : node.finish(axes);
}

Status export_softmax(ExportNode& node, const Softmax& op) {
  const Perm axes = node.held_axes(0);
  std::string src = node.input(0, axes);
  if (op.beta != 1) {
    node.add("Mul", {src, node.floats("beta", {}, std::span(&op.beta, 1))});
    src = node.last();
  }
  const auto last = std::ranges::find(axes, static_cast<int64_t>(axes.size()) - 1);
  set_attribute(node.add("Softmax", {src}), "axis", int64_t{last - axes.begin()});
  return node.finish(axes);
}

}  // namespace nibble
