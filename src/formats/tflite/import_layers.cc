// Layers of .tflite files that have windows or weights: convolutions, dense, pools, mean, softmax.
#include <algorithm>

#include "formats/tflite/importer.h"

namespace nibble {

namespace file = tflite_file;

namespace {

constexpr int64_t kMaxWindow = 65'535;

template <class T>
Result<const T*> need_options(const T* options) {
  if (!options) return input_error("its options are missing or of another operator");
  return options;
}

Status check_window(int64_t value, const char* what) {
  if (value < 1 || value > kMaxWindow)
    return input_error(fmt::format("its {} is {}; 1 to {} are possible", what, value, kMaxWindow));
  return {};
}

// Before and after one axis. SAME: as many outputs as strides fit, the odd element after.
struct AxisPad {
  int64_t before = 0, after = 0;
};
AxisPad same_padding(int64_t in, int64_t k, int64_t stride, int64_t dilation) {
  int64_t reach = (k - 1) * dilation + 1;
  int64_t out = (in + stride - 1) / stride;
  int64_t total = std::max<int64_t>(0, (out - 1) * stride + reach - in);
  return {total / 2, total - total / 2};
}

}  // namespace

Result<Window> TfliteImporter::make_window(const Shape& src, int64_t k_h, int64_t k_w,
                                           file::Padding padding, int64_t stride_h,
                                           int64_t stride_w, int64_t dilation_h,
                                           int64_t dilation_w) const {
  if (src.size() != 4)
    return input_error(
        fmt::format("its input is {}; N x H x W x C is expected", format_shape(src)));
  NIBBLE_TRY(check_window(k_h, "window height"));
  NIBBLE_TRY(check_window(k_w, "window width"));
  NIBBLE_TRY(check_window(stride_h, "vertical stride"));
  NIBBLE_TRY(check_window(stride_w, "horizontal stride"));
  NIBBLE_TRY(check_window(dilation_h, "vertical dilation"));
  NIBBLE_TRY(check_window(dilation_w, "horizontal dilation"));
  Window window;
  window.stride_h = stride_h;
  window.stride_w = stride_w;
  window.dilation_h = dilation_h;
  window.dilation_w = dilation_w;
  if (padding == file::Padding_SAME) {
    AxisPad rows = same_padding(src[1], k_h, stride_h, dilation_h);
    AxisPad columns = same_padding(src[2], k_w, stride_w, dilation_w);
    window.pad_top = rows.before;
    window.pad_bottom = rows.after;
    window.pad_left = columns.before;
    window.pad_right = columns.after;
  } else if (padding != file::Padding_VALID) {
    return input_error(
        fmt::format("its padding is {}; SAME and VALID are supported", static_cast<int>(padding)));
  }
  return window;
}

Status TfliteImporter::convert_conv2d(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 3));
  NIBBLE_ASSIGN(const auto* options, need_options(op.raw->options_as_Conv2D()));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(ValueId filter, weights(op, 1, src, 0));
  const Shape &in = shape_of(src), &taps = shape_of(filter);
  if (taps.size() != 4)
    return input_error(
        fmt::format("its filter is {}; O x KH x KW x I is expected", format_shape(taps)));
  Conv2d conv;
  NIBBLE_ASSIGN(conv.window,
                make_window(in, taps[1], taps[2], options->padding(), options->stride_h(),
                            options->stride_w(), options->dilation_h(), options->dilation_w()));
  NIBBLE_ASSIGN(conv.act, fused_bounds(options));
  if (taps[3] < 1 || in[3] % taps[3] != 0)
    return input_error(
        fmt::format("its filter has {} input channels, its input {}", taps[3], in[3]));
  conv.groups = in[3] / taps[3];
  NIBBLE_ASSIGN(ValueId offsets, bias(op, 2, src, filter));
  return emit(op, conv, {src, filter, offsets});
}

Status TfliteImporter::convert_depthwise(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 3));
  NIBBLE_ASSIGN(const auto* options, need_options(op.raw->options_as_DepthwiseConv2D()));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(ValueId filter, weights(op, 1, src, 3));
  const Shape& taps = shape_of(filter);
  if (taps.size() != 4 || taps[0] != 1)
    return input_error(
        fmt::format("its filter is {}; 1 x KH x KW x C is expected", format_shape(taps)));
  DepthwiseConv2d conv;
  NIBBLE_ASSIGN(conv.window, make_window(shape_of(src), taps[1], taps[2], options->padding(),
                                         options->stride_h(), options->stride_w(),
                                         options->dilation_h(), options->dilation_w()));
  // The depth multiplier in the options only repeats what the extents say; TFLite, too, goes by the
  // extents.
  NIBBLE_ASSIGN(conv.act, fused_bounds(options));
  NIBBLE_ASSIGN(ValueId offsets, bias(op, 2, src, filter));
  return emit(op, conv, {src, filter, offsets});
}

Status TfliteImporter::convert_dense(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 3));
  NIBBLE_ASSIGN(const auto* options, need_options(op.raw->options_as_FullyConnected()));
  if (options->weights_format() != file::WeightsFormat_DEFAULT)
    return input_error("its weights are stored shuffled; export without that optimization");
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(ValueId matrix, weights(op, 1, src, 0));
  Shape extents = shape_of(matrix);
  if (extents.size() != 2 || extents[1] < 1)
    return input_error(
        fmt::format("its weights are {}; outputs x inputs are expected", format_shape(extents)));
  int64_t inputs = extents[1], count = elem_count(shape_of(src));
  if (count % inputs != 0)
    return input_error(
        fmt::format("its input has {} elements, its weights take rows of {}", count, inputs));
  Dense dense;
  NIBBLE_ASSIGN(dense.act, fused_bounds(options));
  NIBBLE_ASSIGN(ValueId offsets, bias(op, 2, src, matrix));
  // Without keep_num_dims the input is seen as a matrix, whatever its axes.
  bool is_matrix = shape_of(src).size() == 2 && shape_of(src)[1] == inputs;
  if (!options->keep_num_dims() && !is_matrix) {
    NIBBLE_ASSIGN(src, emit_helper(op, Reshape{{count / inputs, inputs}}, {src}, "rows", src));
  }
  return emit(op, dense, {src, matrix, offsets});
}

Status TfliteImporter::convert_pool(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(const auto* options, need_options(op.raw->options_as_Pool2D()));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(Window window,
                make_window(shape_of(src), options->filter_h(), options->filter_w(),
                            options->padding(), options->stride_h(), options->stride_w(), 1, 1));
  NIBBLE_ASSIGN(Bounds act, fused_bounds(options));
  int64_t k_h = options->filter_h(), k_w = options->filter_w();
  if (op.code == file::Builtin_MAX_POOL_2D)
    return emit(op, MaxPool2d{k_h, k_w, window, act}, {src});
  return emit(op, AvgPool2d{k_h, k_w, window, /*count_pad=*/false, act}, {src});
}

Status TfliteImporter::convert_mean(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 2, 2));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  NIBBLE_ASSIGN(const StaticArray* raw_axes, need_static(op, 1, "axes"));
  Mean mean;
  for (int64_t raw : raw_axes->elems) {
    NIBBLE_ASSIGN(int64_t axis, normalize_axis(raw, shape_of(src).size()));
    mean.axes.push_back(axis);
  }
  std::sort(mean.axes.begin(), mean.axes.end());
  mean.axes.erase(std::unique(mean.axes.begin(), mean.axes.end()), mean.axes.end());
  const auto* options = op.raw->options_as_Reducer();
  mean.keep_dims = options && options->keep_dims();
  return emit(op, mean, {src});
}

Status TfliteImporter::convert_softmax(const TfliteOperator& op) {
  NIBBLE_TRY(need_operands(op, 1, 1));
  NIBBLE_ASSIGN(const auto* options, need_options(op.raw->options_as_Softmax()));
  if (!(options->beta() > 0) || !(options->beta() < 1e6f))
    return input_error(
        fmt::format("its beta is {}; a positive number is expected", options->beta()));
  NIBBLE_ASSIGN(ValueId src, activation(op, 0));
  return emit(op, Softmax{options->beta()}, {src});
}

}  // namespace nibble
