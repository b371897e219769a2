// The fields of a layer that the rules of an accelerator ask for.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cost/npu/npu.h"

namespace nibble {
namespace {

// Both name all operators: an operator that is new in the graph stops the build here.
#define NIBBLE_OP_COUNT(Type, name) +1
constexpr size_t kOpCount = 0 NIBBLE_OPERATORS(NIBBLE_OP_COUNT);
#undef NIBBLE_OP_COUNT

using F = NpuField;

constexpr std::string_view kLetters = "nhwc";

// n h w c of a shape: rank 3 is n w c, rank 2 n c, rank 1 c; of more than 4 extents the leading
// ones are multiplied into n.
std::array<double, 4> nhwc(const Shape& shape, bool rows_only) {
  std::array<double, 4> extents{1, 1, 1, 1};
  const size_t rank = shape.size();
  for (size_t i = 0; i < rank; ++i) {
    const bool last = i + 1 == rank;
    size_t at = 0;
    if (last)
      at = 3;
    else if (!rows_only && rank >= 3 && i + 2 == rank)
      at = 2;
    else if (!rows_only && rank >= 4 && i + 3 == rank)
      at = 1;
    extents[at] *= static_cast<double>(shape[i]);
  }
  return extents;
}

// The letter of one axis.
char letter_of(size_t axis, size_t rank) {
  if (axis + 1 == rank) return 'c';
  if (rank >= 3 && axis + 2 == rank) return 'w';
  if (rank >= 4 && axis + 3 == rank) return 'h';
  return 'n';
}

// In the order of n h w c, each once.
std::string letters_of(const std::vector<size_t>& axes, size_t rank) {
  std::string letters;
  for (char letter : kLetters)
    if (std::ranges::any_of(axes, [&](size_t axis) { return letter_of(axis, rank) == letter; }))
      letters += letter;
  return letters;
}

double elems(const TensorType& type) { return static_cast<double>(elem_count(type.shape)); }
double bits(const TensorType& type) {
  return type.quant ? type.quant->bits : dtype_bits(type.dtype);
}
double bytes(const TensorType& type) { return std::ceil(elems(type) * bits(type) / 8); }

std::string type_word(DType dtype) {
  switch (dtype) {
    case DType::kS1:
    case DType::kS2:
    case DType::kS4:
      return "s8";
    default:
      return std::string(dtype_name(dtype));
  }
}

bool is_symmetric(const TensorType& type) {
  return !type.quant ||
         std::ranges::all_of(type.quant->zero_point, [](int32_t zero) { return zero == 0; });
}
bool is_power_of_two(float scale) {
  int exponent = 0;
  return std::frexp(scale, &exponent) == 0.5f;
}
bool has_power_of_two_scales(const TensorType& type) {
  return !type.quant || std::ranges::all_of(type.quant->scale, is_power_of_two);
}
bool same_quant(const TensorType& a, const TensorType& b) {
  if (!a.quant || !b.quant) return !a.quant && !b.quant;
  return a.quant->scale == b.quant->scale && a.quant->zero_point == b.quant->zero_point;
}

// The activation after rounding: a bound at or beyond the ends of the output's own range does
// nothing there.
std::string act_word(const Bounds& act, const TensorType& out) {
  double low = act.min, high = act.max;
  if (out.quant && out.quant->per_tensor()) {
    const double scale = out.quant->scale[0], zero = out.quant->zero_point[0];
    if (std::round(low / scale) + zero <= out.quant->q_min)
      low = -std::numeric_limits<double>::infinity();
    if (std::round(high / scale) + zero >= out.quant->q_max)
      high = std::numeric_limits<double>::infinity();
  }
  if (std::isinf(low) && std::isinf(high)) return "none";
  if (low == 0 && std::isinf(high)) return "relu";
  if (low == 0 && high == 6) return "relu6";
  if (low == -1 && high == 1) return "relu_n1_to_1";
  if (low == 0 && high == 1) return "relu_0_to_1";
  return "clamp";
}

// Of `out` positions with a kernel of `k` taps, the share of taps that lie in the image: tap t is
// inside for 0 <= y * stride - pad + t * dilation < in.
double taps_inside(double in, double out, double k, double stride, double dilation, double pad) {
  double inside = 0;
  for (double tap = 0; tap < k; ++tap) {
    const double shift = pad - tap * dilation;
    const double first = std::max(0.0, std::ceil(shift / stride));
    const double end = std::min(out, std::ceil((in + shift) / stride));
    inside += std::max(0.0, end - first);
  }
  return out * k > 0 ? inside / (out * k) : 1;
}

// Fills the fields of one layer, group by group; later ones read earlier ones.
class Fields {
 public:
  Fields(const Graph& graph, const Node& node) : graph_(graph), node_(node) {
    layer_.op = op_name(node.op);
    if (has_weights() && node.inputs.size() > 1) weights_ = node.inputs[1];
    if (has_weights() && node.inputs.size() > 2) bias_ = node.inputs[2];
    for (ValueId id : node.inputs)
      if (id != kNoValue && !graph.is_constant(id)) data_.push_back(id);
    in_ = data_.empty() ? node.inputs.at(0) : data_[0];
  }

  NpuLayer fill() {
    shapes();
    operands();
    std::visit([this](const auto& op) { window(op); }, node_.op);
    products();
    quantization();
    std::visit([this](const auto& op) { own(op); }, node_.op);
    return layer_;
  }

 private:
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(node_.op);
  }
  bool has_weights() const { return is<Conv2d>() || is<DepthwiseConv2d>() || is<Dense>(); }
  const TensorType& in() const { return graph_.type(in_); }
  const TensorType& out() const { return graph_.type(node_.outputs.at(0)); }
  double get(F field) const { return layer_.number(field); }

  void shapes() {
    const auto from = nhwc(in().shape, is<Dense>()), to = nhwc(out().shape, is<Dense>());
    layer_.set(F::kBatch, from[0]);
    layer_.set(F::kInH, from[1]);
    layer_.set(F::kInW, from[2]);
    layer_.set(F::kInC, from[3]);
    layer_.set(F::kOutH, to[1]);
    layer_.set(F::kOutW, to[2]);
    layer_.set(F::kOutC, to[3]);
    layer_.set(F::kInRow, from[2] * from[3]);
    layer_.set(F::kOutRow, to[2] * to[3]);
    layer_.set(F::kInPlane, from[1] * from[2]);
    layer_.set(F::kOutPlane, to[1] * to[2]);
    layer_.set(F::kRank, static_cast<double>(std::max(in().shape.size(), out().shape.size())));
    int64_t largest = 1;
    for (const Shape* shape : {&in().shape, &out().shape})
      for (int64_t extent : *shape) largest = std::max(largest, extent);
    layer_.set(F::kMaxDim, static_cast<double>(largest));
    layer_.set(F::kScaleH, to[1] / from[1]);
    layer_.set(F::kScaleW, to[2] / from[2]);
  }

  void operands() {
    layer_.set(F::kInElems, elems(in()));
    layer_.set(F::kOutElems, elems(out()));
    layer_.set(F::kOutBytes, bytes(out()));
    layer_.set(F::kInBits, bits(in()));
    layer_.set(F::kOutBits, bits(out()));
    layer_.set(F::kInType, type_word(in().dtype));
    layer_.set(F::kOutType, type_word(out().dtype));
    layer_.set(F::kInputs, static_cast<double>(data_.size()));
    double all_bytes = 0, others = 0;
    for (ValueId id : data_) {
      all_bytes += bytes(graph_.type(id));
      others += elems(graph_.type(id));
    }
    layer_.set(F::kInBytes, all_bytes);
    layer_.set(F::kOtherElems, data_.empty() ? 0 : others - elems(in()));
    double constants = 0;
    for (ValueId id : node_.inputs)
      if (id != kNoValue && graph_.is_constant(id) && id != weights_ && id != bias_) ++constants;
    layer_.set(F::kConstInputs, constants);
  }

  void set_kernel(double k_h, double k_w) {
    layer_.set(F::kKH, k_h);
    layer_.set(F::kKW, k_w);
  }
  void set_window(const Window& window) {
    layer_.set(F::kStrideH, static_cast<double>(window.stride_h));
    layer_.set(F::kStrideW, static_cast<double>(window.stride_w));
    layer_.set(F::kDilationH, static_cast<double>(window.dilation_h));
    layer_.set(F::kDilationW, static_cast<double>(window.dilation_w));
    layer_.set(F::kPadTop, static_cast<double>(window.pad_top));
    layer_.set(F::kPadLeft, static_cast<double>(window.pad_left));
    layer_.set(F::kPadBottom, static_cast<double>(window.pad_bottom));
    layer_.set(F::kPadRight, static_cast<double>(window.pad_right));
  }
  void set_filter_and_window(const Window& window) {
    const Shape& filter = graph_.type(weights_).shape;
    set_kernel(static_cast<double>(filter.at(1)), static_cast<double>(filter.at(2)));
    set_window(window);
  }
  template <class T>
  void window(const T&) {
    set_kernel(1, 1);
    set_window(Window{});
  }
  void window(const Conv2d& op) { set_filter_and_window(op.window); }
  void window(const DepthwiseConv2d& op) { set_filter_and_window(op.window); }
  void window(const MaxPool2d& op) { pool(op); }
  void window(const AvgPool2d& op) { pool(op); }
  template <class T>
  void pool(const T& op) {
    set_kernel(static_cast<double>(op.k_h), static_cast<double>(op.k_w));
    set_window(op.window);
  }

  void products() {
    const double k_h = get(F::kKH), k_w = get(F::kKW);
    const double dilated_h = (k_h - 1) * get(F::kDilationH) + 1;
    const double dilated_w = (k_w - 1) * get(F::kDilationW) + 1;
    layer_.set(F::kKernelArea, k_h * k_w);
    layer_.set(F::kDilatedH, dilated_h);
    layer_.set(F::kDilatedW, dilated_w);
    layer_.set(F::kDilatedArea, dilated_h * dilated_w);
    const double top = get(F::kPadTop), left = get(F::kPadLeft), bottom = get(F::kPadBottom),
                 right = get(F::kPadRight);
    layer_.set(F::kPadMax, std::max({top, left, bottom, right}));
    layer_.set(F::kPadSymmetric, top == bottom && left == right);
    const Conv2d* conv = std::get_if<Conv2d>(&node_.op);
    const double groups = conv ? static_cast<double>(conv->groups) : 1;
    layer_.set(F::kGroups, groups);
    layer_.set(F::kChannelMultiplier, is<DepthwiseConv2d>() ? get(F::kOutC) / get(F::kInC) : 1);
    layer_.set(F::kFilterRow, is<DepthwiseConv2d>() ? k_w : k_w * get(F::kInC) / groups);
    layer_.set(F::kDepth, conv          ? k_h * k_w * get(F::kInC) / groups
                          : is<Dense>() ? get(F::kInC)
                                        : k_h * k_w);
    if (!has_weights()) return;
    const double macs = get(F::kOutElems) * get(F::kDepth);
    layer_.set(F::kMacs, macs);
    const double inside_h = taps_inside(get(F::kInH), get(F::kOutH), k_h, get(F::kStrideH),
                                        get(F::kDilationH), get(F::kPadTop));
    const double inside_w = taps_inside(get(F::kInW), get(F::kOutW), k_w, get(F::kStrideW),
                                        get(F::kDilationW), get(F::kPadLeft));
    layer_.set(F::kInsideMacs, std::round(macs * inside_h * inside_w));
  }

  void quantization() {
    layer_.set(F::kWeightSymmetric, 1);
    layer_.set(F::kFixedWeights, 1);
    layer_.set(F::kPowerOfTwoWeights, 1);
    if (weights_ != kNoValue) {
      const TensorType& weights = graph_.type(weights_);
      layer_.set(F::kWeights, elems(weights));
      layer_.set(F::kWeightBytes, bytes(weights));
      layer_.set(F::kWeightBits, bits(weights));
      layer_.set(F::kWeightSymmetric, is_symmetric(weights));
      layer_.set(F::kFixedWeights, graph_.is_constant(weights_));
      layer_.set(F::kPerChannel, weights.quant && weights.quant->scale.size() > 1);
      layer_.set(F::kPowerOfTwoWeights, has_power_of_two_scales(weights));
    }
    if (bias_ != kNoValue) {
      layer_.set(F::kHasBias, 1);
      layer_.set(F::kBiasElems, elems(graph_.type(bias_)));
      layer_.set(F::kBiasBytes, bytes(graph_.type(bias_)));
      layer_.set(F::kBiasBits, bits(graph_.type(bias_)));
    }
    auto of_all_data = [&](auto holds) {
      return std::ranges::all_of(data_, [&](ValueId id) { return holds(graph_.type(id)); });
    };
    layer_.set(F::kInSymmetric, of_all_data(is_symmetric));
    layer_.set(F::kOutSymmetric, is_symmetric(out()));
    layer_.set(F::kPowerOfTwoData,
               of_all_data(has_power_of_two_scales) && has_power_of_two_scales(out()));
    layer_.set(F::kSameQuant,
               of_all_data([&](const TensorType& type) { return same_quant(type, out()); }));
    if (is<Add>() || is<Sub>() || is<Mul>())  // constants are operands as well
      layer_.set(F::kBroadcast, std::ranges::any_of(node_.inputs, [&](ValueId id) {
                   return id != kNoValue && graph_.type(id).shape != out().shape;
                 }));
    const Bounds* act = activation_of(node_.op);
    layer_.set(F::kAct, act ? act_word(*act, out()) : std::string("none"));
    layer_.set(F::kSliceStep, 1);
  }

  template <class T>
  void own(const T&) {}
  void own(const AvgPool2d& op) { layer_.set(F::kCountPad, op.count_pad); }
  void own(const Mean& op) {
    layer_.set(F::kAxes, letters_of({op.axes.begin(), op.axes.end()}, in().shape.size()));
  }
  void own(const Pad& op) {
    std::vector<size_t> axes;
    for (size_t i = 0; i < op.before.size(); ++i)
      if (op.before[i] != 0 || op.after[i] != 0) axes.push_back(i);
    layer_.set(F::kAxes, letters_of(axes, in().shape.size()));
  }
  void own(const Concat& op) {
    layer_.set(F::kAxes, letters_of({static_cast<size_t>(op.axis)}, out().shape.size()));
  }
  void own(const Slice& op) {
    std::vector<size_t> axes;
    double step = 1;
    for (size_t i = 0; i < op.begin.size(); ++i) {
      if (op.extent[i] != in().shape[i] || op.step[i] != 1) axes.push_back(i);
      const double own = static_cast<double>(op.step[i]);
      if (std::abs(own - 1) > std::abs(step - 1)) step = own;
    }
    layer_.set(F::kAxes, letters_of(axes, in().shape.size()));
    layer_.set(F::kSliceStep, step);
  }
  void own(const Transpose& op) {
    std::string order;
    for (int64_t axis : op.perm) order += letter_of(static_cast<size_t>(axis), op.perm.size());
    layer_.set(F::kPerm, order);
  }
  void own(const ResizeNearest& op) {
    layer_.set(F::kAlignCorners, op.align_corners);
    layer_.set(F::kHalfPixelCenters, op.half_pixel_centers);
    if (!op.align_corners) return;
    if (get(F::kInH) > 1) layer_.set(F::kScaleH, (get(F::kOutH) - 1) / (get(F::kInH) - 1));
    if (get(F::kInW) > 1) layer_.set(F::kScaleW, (get(F::kOutW) - 1) / (get(F::kInW) - 1));
  }

  const Graph& graph_;
  const Node& node_;
  std::vector<ValueId> data_;
  ValueId in_ = kNoValue, weights_ = kNoValue, bias_ = kNoValue;
  NpuLayer layer_;
};

}  // namespace

NpuLayer npu_layer(const Graph& graph, const Node& node) {
  NIBBLE_CHECK(npu_operators().size() == kOpCount, "{} operators known to accelerators' files",
               npu_operators().size());
  return Fields(graph, node).fill();
}

}  // namespace nibble
