// Pools, means over axes, and nearest-neighbour resizing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/operator_list.h"

namespace nibble {
namespace {

// ceil_mode: results whose window hangs over the padded end count, but none that starts in the
// padding behind it. Said with as much padding as the last window needs.
int64_t end_padding(int64_t extent, int64_t before, int64_t after, int64_t kernel, int64_t stride,
                    int64_t dilation) {
  int64_t reach = (kernel - 1) * dilation + 1;
  int64_t room = extent + before + after - reach;
  if (room < 0) return after;
  int64_t results = (room + stride - 1) / stride + 1;
  if ((results - 1) * stride >= extent + before) --results;
  return std::max<int64_t>((results - 1) * stride + reach - extent - before, 0);
}

Window with_ceil_mode(const OnnxWindow& pool, const Shape& src) {
  Window window = pool.window;
  int64_t in_h = src.size() == 3 ? 1 : src[2], in_w = src.back();
  window.pad_bottom = end_padding(in_h, window.pad_top, window.pad_bottom, pool.k_h,
                                  window.stride_h, window.dilation_h);
  window.pad_right = end_padding(in_w, window.pad_left, window.pad_right, pool.k_w, window.stride_w,
                                 window.dilation_w);
  return window;
}

struct PoolInput {
  ValueId src = kNoValue;
  TensorType type;
  OnnxWindow pool;
  bool ceil_mode = false;
};

Result<PoolInput> read_pool(OnnxNode& node, bool integers_too) {
  PoolInput input;
  NIBBLE_ASSIGN(input.src, integers_too ? node.value(0) : node.real_value(0));
  input.type = node.type_of(input.src);
  if (is_integer(input.type.dtype) && !input.type.quant)
    return input_error(fmt::format("computes on {} elements without quantization parameters",
                                   dtype_name(input.type.dtype)));
  if (!node.has_attribute("kernel_shape"))
    return input_error("attribute 'kernel_shape' is missing");
  NIBBLE_ASSIGN(input.pool, read_window(node, input.type.shape, node.integers("kernel_shape")));
  input.ceil_mode =
      node.integer("ceil_mode", 0) != 0 && node.text("auto_pad", "NOTSET") == "NOTSET";
  return input;
}

// Mean of all axes from the third on, extents kept as ones.
Result<ValueId> spatial_mean(OnnxNode& node, ValueId src, bool keep_dims) {
  const Shape shape = node.type_of(src).shape;
  if (shape.size() != 4) {
    std::vector<int64_t> axes;
    for (size_t i = 2; i < shape.size(); ++i) axes.push_back(static_cast<int64_t>(i));
    return node.add(Mean{axes, keep_dims}, {src});
  }
  NIBBLE_ASSIGN(ValueId last, node.to_channels_last(src));
  NIBBLE_ASSIGN(ValueId mean, node.add(Mean{{1, 2}, keep_dims}, {last}));
  return keep_dims ? node.from_channels_last(mean, 4) : Result<ValueId>(mean);
}

// One window over the whole image, without padding.
bool covers_everything(const OnnxWindow& pool, const Shape& src) {
  const Window& window = pool.window;
  int64_t pads = window.pad_top + window.pad_left + window.pad_bottom + window.pad_right;
  return pads == 0 && window.dilation_h == 1 && window.dilation_w == 1 && pool.k_w == src.back() &&
         pool.k_h == (src.size() == 3 ? 1 : src[2]);
}

// The source position of each result of one resized axis, as ONNX defines it.
struct ResizeRule {
  std::string coordinates, rounding;
};

Result<std::vector<int64_t>> resize_positions(const ResizeRule& rule, int64_t in, int64_t out,
                                              double scale) {
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < out; ++i) {
    auto at = static_cast<double>(i);
    double position = 0;
    if (rule.coordinates == "asymmetric")
      position = at / scale;
    else if (rule.coordinates == "half_pixel")
      position = (at + 0.5) / scale - 0.5;
    else if (rule.coordinates == "pytorch_half_pixel")
      position = out > 1 ? (at + 0.5) / scale - 0.5 : 0;
    else if (rule.coordinates == "align_corners")
      position = out > 1 ? at * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
    else
      return input_error(
          fmt::format("coordinate_transformation_mode '{}' is not supported; half_pixel, "
                      "pytorch_half_pixel, asymmetric and align_corners are",
                      rule.coordinates));
    double nearest = 0;
    if (rule.rounding == "round_prefer_floor")
      nearest = std::ceil(position - 0.5);
    else if (rule.rounding == "round_prefer_ceil")
      nearest = std::floor(position + 0.5);
    else if (rule.rounding == "floor")
      nearest = std::floor(position);
    else if (rule.rounding == "ceil")
      nearest = std::ceil(position);
    else
      return input_error(fmt::format("nearest_mode '{}' is not supported", rule.rounding));
    positions.push_back(std::clamp<int64_t>(static_cast<int64_t>(nearest), 0, in - 1));
  }
  return positions;
}

// What ResizeNearest of the graph reads, in the arithmetic of TFLite.
std::vector<int64_t> graph_positions(int64_t in, int64_t out, const ResizeNearest& op) {
  float scale = op.align_corners && out > 1
                    ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                    : static_cast<float>(in) / static_cast<float>(out);
  std::vector<int64_t> positions;
  for (int64_t i = 0; i < out; ++i) {
    float at = (static_cast<float>(i) + (op.half_pixel_centers ? 0.5f : 0.0f)) * scale;
    auto position = static_cast<int64_t>(op.align_corners ? std::round(at) : std::floor(at));
    positions.push_back(std::clamp<int64_t>(position, 0, in - 1));
  }
  return positions;
}

struct ResizeExtents {
  Shape out;
  std::vector<double> scale;
};

Status keep_aspect_ratio(const std::string& policy, const std::vector<size_t>& axes,
                         const Shape& shape, ResizeExtents& extents) {
  if (policy == "stretch") return {};
  double scale = policy == "not_larger" ? INFINITY : 0;
  for (size_t axis : axes)
    scale = policy == "not_larger" ? std::min(scale, extents.scale[axis])
                                   : std::max(scale, extents.scale[axis]);
  if (policy != "not_larger" && policy != "not_smaller")
    return input_error(fmt::format("keep_aspect_ratio_policy '{}' is not supported", policy));
  for (size_t axis : axes) {
    extents.scale[axis] = scale;
    extents.out[axis] =
        static_cast<int64_t>(std::floor(scale * static_cast<double>(shape[axis]) + 0.5));
  }
  return {};
}

// Resize: X, [roi], [scales], [sizes]; Upsample and Resize of opset 10: X, scales.
Result<ResizeExtents> resize_extents(OnnxNode& node, const Shape& shape) {
  bool short_form = node.op_type() == "Upsample" || node.opset() < 11;
  size_t scales_at = short_form ? 1 : 2;
  std::vector<size_t> axes;
  for (int64_t axis : node.integers("axes")) {
    NIBBLE_ASSIGN(size_t place, checked_axis(axis, shape.size()));
    axes.push_back(place);
  }
  if (axes.empty())
    for (size_t i = 0; i < shape.size(); ++i) axes.push_back(i);
  std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  ResizeExtents extents{shape, std::vector<double>(shape.size(), 1)};
  bool by_size = !short_form && node.has_input(3);
  if (by_size) {
    NIBBLE_ASSIGN(auto sizes, node.constant_integers(3, "the input 'sizes'"));
    if (sizes.size() != axes.size()) return input_error("its sizes do not fit its axes");
    for (size_t i = 0; i < axes.size(); ++i) {
      extents.out[axes[i]] = sizes[i];
      extents.scale[axes[i]] = static_cast<double>(sizes[i]) / static_cast<double>(shape[axes[i]]);
    }
    NIBBLE_TRY(keep_aspect_ratio(policy, axes, shape, extents));
  } else {
    if (!node.has_input(scales_at)) return input_error("has neither scales nor sizes");
    NIBBLE_ASSIGN(auto scales, node.constant_reals(scales_at, "the input 'scales'"));
    if (scales.size() != axes.size()) return input_error("its scales do not fit its axes");
    for (size_t i = 0; i < axes.size(); ++i) {
      auto scale = static_cast<double>(scales[i]);
      if (!(scale > 0 && scale < 65536)) return input_error("a scale is not a positive number");
      extents.scale[axes[i]] = scale;
      extents.out[axes[i]] =
          static_cast<int64_t>(std::floor(static_cast<double>(shape[axes[i]]) * scale));
    }
  }
  for (int64_t extent : extents.out)
    if (extent < 1 || extent > 65536)
      return input_error(fmt::format("its result has the extent {}", extent));
  return extents;
}

}  // namespace

Status import_max_pool(OnnxNode& node) {
  node.ignore("storage_order");  // only the second output, the indices, depends on it
  NIBBLE_ASSIGN(PoolInput input, read_pool(node, true));
  const Shape& shape = input.type.shape;
  Window window = input.ceil_mode ? with_ceil_mode(input.pool, shape) : input.pool.window;
  NIBBLE_ASSIGN(ValueId last, node.to_channels_last(input.src));
  NIBBLE_ASSIGN(ValueId pooled, node.add(MaxPool2d{input.pool.k_h, input.pool.k_w, window, {}},
                                         {last}, "", input.type.quant, input.type.dtype));
  NIBBLE_ASSIGN(ValueId result, node.from_channels_last(pooled, shape.size()));
  node.set_output(0, result);
  return {};
}

Status import_average_pool(OnnxNode& node) {
  NIBBLE_ASSIGN(PoolInput input, read_pool(node, false));
  const Shape& shape = input.type.shape;
  bool count_pad = node.integer("count_include_pad", 0) != 0;
  // A mean, unlike a pool, has an output scale of its own as an integer operator.
  if (covers_everything(input.pool, shape)) {
    NIBBLE_ASSIGN(ValueId mean, spatial_mean(node, input.src, true));
    node.set_output(0, mean);
    return {};
  }
  NIBBLE_ASSIGN(ValueId last, node.to_channels_last(input.src));
  Window window = input.pool.window;
  if (input.ceil_mode) {
    Window wide = with_ceil_mode(input.pool, shape);
    // Taps behind the stated padding never count, those within it do: pad first, count what is
    // there.
    if (count_pad && (wide.pad_bottom > window.pad_bottom || wide.pad_right > window.pad_right)) {
      int64_t bottom = std::min(window.pad_bottom, wide.pad_bottom);
      int64_t right = std::min(window.pad_right, wide.pad_right);
      Pad pad{{0, window.pad_top, window.pad_left, 0}, {0, bottom, right, 0}, 0};
      NIBBLE_ASSIGN(last, node.add(std::move(pad), {last}, "pad"));
      wide.pad_bottom -= bottom;
      wide.pad_right -= right;
      wide.pad_top = wide.pad_left = 0;
      count_pad = false;
    }
    window = wide;
  }
  NIBBLE_ASSIGN(ValueId pooled,
                node.add(AvgPool2d{input.pool.k_h, input.pool.k_w, window, count_pad, {}}, {last}));
  NIBBLE_ASSIGN(ValueId result, node.from_channels_last(pooled, shape.size()));
  node.set_output(0, result);
  return {};
}

Status import_global_average_pool(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  if (node.type_of(src).shape.size() < 3) return input_error("its input has no spatial axes");
  NIBBLE_ASSIGN(ValueId result, spatial_mean(node, src, true));
  node.set_output(0, result);
  return {};
}

Status import_global_max_pool(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.value(0));
  const TensorType type = node.type_of(src);
  const Shape& shape = type.shape;
  if (shape.size() != 3 && shape.size() != 4)
    return input_error(fmt::format("its input {} has {} axes; three and four are supported",
                                   format_shape(shape), shape.size()));
  if (is_integer(type.dtype) && !type.quant)
    return input_error("computes on integers without quantization parameters");
  NIBBLE_ASSIGN(ValueId last, node.to_channels_last(src));
  int64_t k_h = shape.size() == 3 ? 1 : shape[2];
  NIBBLE_ASSIGN(ValueId pooled,
                node.add(MaxPool2d{k_h, shape.back(), {}, {}}, {last}, "", type.quant, type.dtype));
  NIBBLE_ASSIGN(ValueId result, node.from_channels_last(pooled, shape.size()));
  node.set_output(0, result);
  return {};
}

// ReduceMean and ReduceSum; the axes are an attribute, later (18 and 13) an input.
Status import_reduce_mean(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.real_value(0));
  const Shape shape = node.type_of(src).shape;
  bool keep_dims = node.integer("keepdims", 1) != 0;
  bool no_axes_is_none = node.integer("noop_with_empty_axes", 0) != 0;
  auto stated = node.integers("axes");
  if (node.has_input(1)) {
    NIBBLE_ASSIGN(stated, node.constant_integers(1, "the input 'axes'"));
  }
  if (stated.empty() && no_axes_is_none) {
    node.set_output(0, node.input(0));
    return {};
  }
  std::set<int64_t> axes;
  for (int64_t axis : stated) {
    NIBBLE_ASSIGN(size_t place, checked_axis(axis, shape.size()));
    axes.insert(static_cast<int64_t>(place));
  }
  if (stated.empty())
    for (size_t i = 0; i < shape.size(); ++i) axes.insert(static_cast<int64_t>(i));
  ValueId result = kNoValue;
  if (shape.size() == 4 && axes == std::set<int64_t>{2, 3}) {
    NIBBLE_ASSIGN(result, spatial_mean(node, src, keep_dims));
  } else {
    NIBBLE_ASSIGN(result, node.add(Mean{{axes.begin(), axes.end()}, keep_dims}, {src}));
  }
  if (node.op_type() == "ReduceSum") {
    float count = 1;
    for (int64_t axis : axes) count *= static_cast<float>(shape[static_cast<size_t>(axis)]);
    NIBBLE_ASSIGN(ValueId factor, node.add_constant(Tensor::of_floats({}, std::span(&count, 1)),
                                                    node.name() + "/count"));
    NIBBLE_ASSIGN(result, node.add(Mul{}, {result, factor}, "sum"));
  }
  node.set_output(0, result);
  return {};
}

Status import_resize(OnnxNode& node) {
  NIBBLE_ASSIGN(ValueId src, node.value(0));
  const TensorType type = node.type_of(src);
  const Shape& shape = type.shape;
  for (const char* name : {"cubic_coeff_a", "exclude_outside", "extrapolation_value", "antialias"})
    node.ignore(name);  // they concern the other modes
  std::string mode = node.text("mode", "nearest");
  if (mode != "nearest")
    return input_error(fmt::format("mode '{}' is not supported; nearest is", mode));
  if (is_integer(type.dtype) && !type.quant)
    return input_error("computes on integers without quantization parameters");
  bool short_form = node.op_type() == "Upsample" || node.opset() < 11;
  ResizeRule rule;
  rule.coordinates =
      node.text("coordinate_transformation_mode", short_form ? "asymmetric" : "half_pixel");
  rule.rounding = node.text("nearest_mode", short_form ? "floor" : "round_prefer_floor");
  NIBBLE_ASSIGN(ResizeExtents extents, resize_extents(node, shape));
  if (extents.out == shape) {
    node.set_output(0, node.input(0));
    return {};
  }
  if (shape.size() != 4 || extents.out[0] != shape[0] || extents.out[1] != shape[1])
    return input_error(fmt::format("resizes {} to {}; the last two of four axes can be resized",
                                   format_shape(shape), format_shape(extents.out)));
  NIBBLE_ASSIGN(auto rows, resize_positions(rule, shape[2], extents.out[2], extents.scale[2]));
  NIBBLE_ASSIGN(auto columns, resize_positions(rule, shape[3], extents.out[3], extents.scale[3]));
  for (auto [half_pixel, corners] : {std::pair{false, false}, {true, false}, {false, true}}) {
    ResizeNearest op{extents.out[2], extents.out[3], half_pixel, corners};
    if (graph_positions(shape[2], op.out_h, op) != rows ||
        graph_positions(shape[3], op.out_w, op) != columns)
      continue;
    NIBBLE_ASSIGN(ValueId last, node.to_channels_last(src));
    NIBBLE_ASSIGN(ValueId resized, node.add(op, {last}, "", type.quant, type.dtype));
    NIBBLE_ASSIGN(ValueId result, node.from_channels_last(resized, 4));
    node.set_output(0, result);
    return {};
  }
  return input_error(
      fmt::format("coordinate_transformation_mode '{}' with nearest_mode '{}' picks other pixels "
                  "than nibble's nearest-neighbour resize; asymmetric with floor always works",
                  rule.coordinates, rule.rounding));
}

}  // namespace nibble
