// The operators of the graph: one struct of attributes each, and the list that everything else is
// made from. The operands of a node are named in the comment, in order; [brackets] mean that it may
// be absent (kNoValue). Meaning, checks and arithmetic: ops/NAME.cc. Activations are N H W C,
// filters O H W I.
//
// To add one: a struct here, a line in NIBBLE_OPERATORS, and ops/NAME.cc (doc/adding.md).
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <variant>
#include <vector>

namespace nibble {

// A fused activation: the output, as a real number, is clamped to [min, max]. Relu is {0, inf}.
struct Bounds {
  float min = -std::numeric_limits<float>::infinity();
  float max = std::numeric_limits<float>::infinity();
  bool operator==(const Bounds&) const = default;
  bool none() const { return *this == Bounds{}; }
};

// attributes(v) calls v("name", field) for every attribute in a fixed order: the text form,
// equality of printed graphs and the writers are made from it.
#define NIBBLE_ATTRIBUTES(...)                          \
  template <class Visitor>                              \
  void attributes([[maybe_unused]] Visitor&& v) {       \
    __VA_ARGS__                                         \
  }                                                     \
  template <class Visitor>                              \
  void attributes([[maybe_unused]] Visitor&& v) const { \
    __VA_ARGS__                                         \
  }

// Where a window stands over a padded input. Out-of-image taps are zero (the zero point when
// quantized).
struct Window {
  int64_t stride_h = 1, stride_w = 1;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  NIBBLE_ATTRIBUTES(v("stride_h", stride_h); v("stride_w", stride_w); v("dilation_h", dilation_h);
                    v("dilation_w", dilation_w); v("pad_top", pad_top); v("pad_left", pad_left);
                    v("pad_bottom", pad_bottom); v("pad_right", pad_right);)
  bool operator==(const Window&) const = default;
};

// src [N,H,W,C], filter [O,KH,KW,C/groups], [bias [O]] -> [N,OH,OW,O]
struct Conv2d {
  Window window;
  int64_t groups = 1;
  Bounds act;
  NIBBLE_ATTRIBUTES(window.attributes(v); v("groups", groups); v("act", act);)
};
// src [N,H,W,C], filter [1,KH,KW,C*M], [bias [C*M]] -> [N,OH,OW,C*M]; output channel c*M+m reads c
struct DepthwiseConv2d {
  Window window;
  Bounds act;
  NIBBLE_ATTRIBUTES(window.attributes(v); v("act", act);)
};
// src [...,K], filter [O,K], [bias [O]] -> [...,O]
struct Dense {
  Bounds act;
  NIBBLE_ATTRIBUTES(v("act", act);)
};
// lhs, rhs, broadcast as in NumPy
struct Add {
  Bounds act;
  NIBBLE_ATTRIBUTES(v("act", act);)
};
struct Sub {
  Bounds act;
  NIBBLE_ATTRIBUTES(v("act", act);)
};
struct Mul {
  Bounds act;
  NIBBLE_ATTRIBUTES(v("act", act);)
};
// src [N,H,W,C] -> [N,OH,OW,C]; taps outside the image never win
struct MaxPool2d {
  int64_t k_h = 1, k_w = 1;
  Window window;
  Bounds act;
  NIBBLE_ATTRIBUTES(v("k_h", k_h); v("k_w", k_w); window.attributes(v); v("act", act);)
};
// src [N,H,W,C] -> [N,OH,OW,C]; count_pad: taps outside count in the divisor (and are zero)
struct AvgPool2d {
  int64_t k_h = 1, k_w = 1;
  Window window;
  bool count_pad = false;
  Bounds act;
  NIBBLE_ATTRIBUTES(v("k_h", k_h); v("k_w", k_w); window.attributes(v); v("count_pad", count_pad);
                    v("act", act);)
};
// src -> src reduced over `axes` (not negative, ascending)
struct Mean {
  std::vector<int64_t> axes;
  bool keep_dims = false;
  NIBBLE_ATTRIBUTES(v("axes", axes); v("keep_dims", keep_dims);)
};
// src -> each axis widened by before[i] and after[i] elements of real value `value`
struct Pad {
  std::vector<int64_t> before, after;
  float value = 0;
  NIBBLE_ATTRIBUTES(v("before", before); v("after", after); v("value", value);)
};
// src... -> joined along axis
struct Concat {
  int64_t axis = 0;
  NIBBLE_ATTRIBUTES(v("axis", axis);)
};
// src -> the same elements in `shape` (fully known)
struct Reshape {
  std::vector<int64_t> shape;
  NIBBLE_ATTRIBUTES(v("shape", shape);)
};
// src -> axis i of the result is axis perm[i] of src
struct Transpose {
  std::vector<int64_t> perm;
  NIBBLE_ATTRIBUTES(v("perm", perm);)
};
// src -> elements begin[i], begin[i]+step[i], ... (extent[i] of them); step is not zero
struct Slice {
  std::vector<int64_t> begin, extent, step;
  NIBBLE_ATTRIBUTES(v("begin", begin); v("extent", extent); v("step", step);)
};
// src [N,H,W,C] -> [N,out_h,out_w,C], nearest neighbour: source row floor(oy * in_h / out_h)
struct ResizeNearest {
  int64_t out_h = 1, out_w = 1;
  bool half_pixel_centers = false;
  bool align_corners = false;
  NIBBLE_ATTRIBUTES(v("out_h", out_h); v("out_w", out_w);
                    v("half_pixel_centers", half_pixel_centers); v("align_corners", align_corners);)
};
// src [...,C], gamma [C], beta [C], mean [C], variance [C] ->
// gamma*(src-mean)/sqrt(variance+epsilon)+beta
struct BatchNorm {
  float epsilon = 1e-5f;
  NIBBLE_ATTRIBUTES(v("epsilon", epsilon);)
};
// src -> clamped to act (relu, relu6, clip)
struct Clamp {
  Bounds act;
  NIBBLE_ATTRIBUTES(v("act", act);)
};
struct LeakyRelu {
  float alpha = 0.01f;
  NIBBLE_ATTRIBUTES(v("alpha", alpha);)
};
struct Sigmoid {
  NIBBLE_ATTRIBUTES()
};
struct Tanh {
  NIBBLE_ATTRIBUTES()
};
// x * clamp(x/6 + 0.5, 0, 1)
struct HardSwish {
  NIBBLE_ATTRIBUTES()
};
// clamp(alpha*x + beta, 0, 1)
struct HardSigmoid {
  float alpha = 0.2f, beta = 0.5f;
  NIBBLE_ATTRIBUTES(v("alpha", alpha); v("beta", beta);)
};
// src -> exp(beta*x) normalised over the last axis
struct Softmax {
  float beta = 1;
  NIBBLE_ATTRIBUTES(v("beta", beta);)
};
// f32 -> integer, or integer -> integer of another scale: by the types of the two values
struct Quantize {
  NIBBLE_ATTRIBUTES()
};
// integer -> f32
struct Dequantize {
  NIBBLE_ATTRIBUTES()
};

#define NIBBLE_OPERATORS(X)              \
  X(Conv2d, "conv2d")                    \
  X(DepthwiseConv2d, "depthwise_conv2d") \
  X(Dense, "dense")                      \
  X(Add, "add")                          \
  X(Sub, "sub")                          \
  X(Mul, "mul")                          \
  X(MaxPool2d, "max_pool2d")             \
  X(AvgPool2d, "avg_pool2d")             \
  X(Mean, "mean")                        \
  X(Pad, "pad")                          \
  X(Concat, "concat")                    \
  X(Reshape, "reshape")                  \
  X(Transpose, "transpose")              \
  X(Slice, "slice")                      \
  X(ResizeNearest, "resize_nearest")     \
  X(BatchNorm, "batch_norm")             \
  X(Clamp, "clamp")                      \
  X(LeakyRelu, "leaky_relu")             \
  X(Sigmoid, "sigmoid")                  \
  X(Tanh, "tanh")                        \
  X(HardSwish, "hard_swish")             \
  X(HardSigmoid, "hard_sigmoid")         \
  X(Softmax, "softmax")                  \
  X(Quantize, "quantize")                \
  X(Dequantize, "dequantize")

// std::variant over all of them; monostate stands for "no operator" and never occurs in a graph.
#define NIBBLE_OPERATOR_TYPE(Type, name) , Type
using Op = std::variant<std::monostate NIBBLE_OPERATORS(NIBBLE_OPERATOR_TYPE)>;
#undef NIBBLE_OPERATOR_TYPE

// "conv2d", ...
std::string_view op_name(const Op& op);

// The fused activation of an operator that has one, otherwise null. A clamp is its own activation.
const Bounds* activation_of(const Op& op);
Bounds* activation_of(Op& op);

}  // namespace nibble
