// Conv and QLinearConv: one and two spatial axes, groups, dilation, automatic padding.
#include <fmt/format.h>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

// A list attribute over the spatial axes, as {h, w}; one axis counts as w.
Result<std::pair<int64_t, int64_t>> spatial(OnnxNode& node, const std::string& name, size_t axes) {
  auto values = node.integers(name, std::vector<int64_t>(axes, 1));
  if (values.size() != axes)
    return input_error(fmt::format("attribute '{}' has {} entries for {} spatial axes", name,
                                   values.size(), axes));
  for (int64_t value : values)
    if (value < 1) return input_error(fmt::format("attribute '{}' holds {}", name, value));
  return axes == 1 ? std::pair<int64_t, int64_t>{1, values[0]}
                   : std::pair<int64_t, int64_t>{values[0], values[1]};
}

struct Padding {
  int64_t before = 0, after = 0;
};

// SAME: as many results as the stride gives, the odd row or column where `upper` says.
Padding same_padding(int64_t extent, int64_t kernel, int64_t stride, int64_t dilation, bool upper) {
  int64_t results = (extent + stride - 1) / stride;
  int64_t total =
      std::max<int64_t>((results - 1) * stride + (kernel - 1) * dilation + 1 - extent, 0);
  int64_t half = total / 2;
  return upper ? Padding{half, total - half} : Padding{total - half, half};
}

}  // namespace

Result<OnnxWindow> read_window(OnnxNode& node, const Shape& src,
                               const std::vector<int64_t>& kernel) {
  size_t axes = src.size() < 2 ? 0 : src.size() - 2;
  if (axes != 1 && axes != 2)
    return input_error(fmt::format("its input {} has {} spatial axes; one and two are supported",
                                   format_shape(src), axes));
  if (kernel.size() != axes)
    return input_error(
        fmt::format("its kernel has {} extents for {} spatial axes", kernel.size(), axes));
  for (int64_t extent : kernel)
    if (extent < 1) return input_error(fmt::format("its kernel has the extent {}", extent));
  NIBBLE_ASSIGN(auto strides, spatial(node, "strides", axes));
  NIBBLE_ASSIGN(auto dilations, spatial(node, "dilations", axes));
  OnnxWindow result;
  result.k_h = axes == 1 ? 1 : kernel[0];
  result.k_w = kernel[axes - 1];
  Window& window = result.window;
  window.stride_h = strides.first;
  window.stride_w = strides.second;
  window.dilation_h = dilations.first;
  window.dilation_w = dilations.second;

  std::string mode = node.text("auto_pad", "NOTSET");
  auto pads = node.integers("pads", std::vector<int64_t>(2 * axes, 0));
  if (pads.size() != 2 * axes)
    return input_error(
        fmt::format("attribute 'pads' has {} entries for {} spatial axes", pads.size(), axes));
  for (int64_t pad : pads)
    if (pad < 0) return input_error("attribute 'pads' is negative; use a Slice node");
  int64_t in_h = axes == 1 ? 1 : src[2], in_w = src[axes + 1];
  Padding vertical, horizontal;
  if (mode == "SAME_UPPER" || mode == "SAME_LOWER") {
    bool upper = mode == "SAME_UPPER";
    vertical = same_padding(in_h, result.k_h, window.stride_h, window.dilation_h, upper);
    horizontal = same_padding(in_w, result.k_w, window.stride_w, window.dilation_w, upper);
  } else if (mode == "NOTSET") {
    if (axes == 2) vertical = {pads[0], pads[2]};
    horizontal = {pads[axes - 1], pads[2 * axes - 1]};
  } else if (mode != "VALID") {
    return input_error(
        fmt::format("attribute 'auto_pad' is '{}'; NOTSET, SAME_UPPER, SAME_LOWER and VALID "
                    "are known",
                    mode));
  }
  window.pad_top = vertical.before;
  window.pad_bottom = vertical.after;
  window.pad_left = horizontal.before;
  window.pad_right = horizontal.after;
  return result;
}

Result<ValueId> convolve(OnnxNode& node, ValueId src, const OnnxOperand& filter, ValueId bias) {
  const Shape shape = node.type_of(src).shape;
  if (!filter.constant)
    return input_error("its filter is computed from the model's input; it must be constant");
  Shape extents = node.shape_of(filter);
  if (extents.size() != shape.size() || shape.size() < 3)
    return input_error(fmt::format("its input {} and its filter {} do not belong together",
                                   format_shape(shape), format_shape(extents)));
  std::vector<int64_t> kernel(extents.begin() + 2, extents.end());
  kernel = node.integers("kernel_shape", kernel);
  if (kernel != std::vector<int64_t>(extents.begin() + 2, extents.end()))
    return input_error(
        fmt::format("attribute 'kernel_shape' differs from its filter {}", format_shape(extents)));
  NIBBLE_ASSIGN(OnnxWindow window, read_window(node, shape, kernel));
  int64_t groups = node.integer("group", 1);
  if (groups < 1 || shape[1] % groups != 0 || extents[0] % groups != 0 ||
      extents[1] * groups != shape[1])
    return input_error(
        fmt::format("its input {}, its filter {} and its {} groups do not belong together",
                    format_shape(shape), format_shape(extents), groups));
  if (extents.size() == 3) extents.insert(extents.begin() + 2, 1);
  NIBBLE_ASSIGN(OnnxOperand weights, node.reshape(filter, extents));
  bool depthwise = groups == shape[1] && groups > 1;
  // O I H W becomes O H W I, or for a depthwise filter (I = 1) I H W O.
  NIBBLE_ASSIGN(weights, depthwise ? node.transpose(weights, {1, 2, 3, 0})
                                   : node.transpose(weights, {0, 2, 3, 1}));
  NIBBLE_ASSIGN(ValueId weight_value, node.add_weight(weights));
  NIBBLE_ASSIGN(ValueId last, node.to_channels_last(src));
  Op op =
      depthwise ? Op(DepthwiseConv2d{window.window, {}}) : Op(Conv2d{window.window, groups, {}});
  std::vector<ValueId> operands = {last, weight_value, bias};
  NIBBLE_ASSIGN(ValueId result, node.add(std::move(op), std::move(operands)));
  return node.from_channels_last(result, shape.size());
}

Status import_conv(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  NIBBLE_ASSIGN(ValueId bias, node.real_value(2));
  const OnnxOperand filter = node.input(1);
  if (filter.constant && !filter.dequantize && filter.constant->dtype() != DType::kF32)
    return input_error("its filter holds integers without a DequantizeLinear");
  NIBBLE_ASSIGN(ValueId result, convolve(node, src, filter, bias));
  node.set_output(0, result);
  return {};
}

// x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, [B]
Status import_qlinear_conv(OnnxNode& node) {
  NIBBLE_ASSIGN(OnnxOperand src, dequantized_input(node, 0, 1, 2, 1));
  NIBBLE_ASSIGN(OnnxOperand filter, dequantized_input(node, 3, 4, 5, 0));
  NIBBLE_ASSIGN(ValueId src_value, node.value_of(src));
  ValueId bias = kNoValue;
  if (node.has_input(8)) {
    OnnxOperand constant = node.input(8);
    if (!constant.constant || constant.constant->dtype() != DType::kS32 || !filter.constant)
      return input_error("its bias is not a constant of 32-bit integers");
    // The bias counts in units of the input's scale times the filter's.
    NIBBLE_ASSIGN(auto src_scale, node.constant_reals(1, "x_scale"));
    QuantParams params = *filter.constant->type().quant;
    for (float& scale : params.scale) scale *= src_scale[0];
    params.zero_point.assign(params.scale.size(), 0);
    params.bits = 32;
    params.q_min = std::numeric_limits<int32_t>::min();
    params.q_max = std::numeric_limits<int32_t>::max();
    bool per_channel = params.scale.size() > 1;
    if (per_channel &&
        constant.constant->shape() != Shape{static_cast<int64_t>(params.scale.size())})
      return input_error("its bias and its filter have different numbers of channels");
    params.axis = per_channel ? 0 : -1;
    constant.constant->set_quant(params);
    constant.dequantize = true;
    NIBBLE_ASSIGN(bias, node.add_weight(constant));
  }
  NIBBLE_ASSIGN(ValueId result, convolve(node, src_value, filter, bias));
  return set_quantized_output(node, result, 6, 7);
}

}  // namespace nibble
