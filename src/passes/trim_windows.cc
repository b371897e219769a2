// Rows and columns at the edge of a filter that change nothing go: those whose weights are all
// zero, and those that stand outside the image at every output position, as most of a 7x7 filter
// does over an image of 3x3. The padding shrinks with them.
#include <algorithm>

#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

// One axis of a window.
struct Axis {
  int64_t in = 0, out = 0, k = 0, stride = 1, dilation = 1, before = 0, after = 0;

  bool outside(int64_t tap) const {
    for (int64_t o = 0; o < out; ++o) {
      const int64_t at = o * stride - before + tap * dilation;
      if (at >= 0 && at < in) return false;
    }
    return true;
  }
  bool keeps_extent(int64_t new_before, int64_t new_after, int64_t new_k) const {
    const int64_t room = in + new_before + new_after - (new_k - 1) * dilation - 1;
    return room >= 0 && room / stride + 1 == out;
  }
};

// Taps to drop at both ends of an axis, and the padding that is left.
struct Cut {
  int64_t first = 0, end = 0;  // taps that stay
  int64_t before = 0, after = 0;
};

Cut find_cut(const Axis& axis, const std::vector<bool>& zero) {
  auto idle = [&](int64_t tap) { return zero[static_cast<size_t>(tap)] || axis.outside(tap); };
  Cut cut{0, axis.k, axis.before, axis.after};
  // The window starts a tap later: with less padding in front it stands where it stood.
  while (cut.end - cut.first > 1 && idle(cut.first) && cut.before >= axis.dilation) {
    ++cut.first;
    cut.before -= axis.dilation;
  }
  while (cut.end - cut.first > 1 && idle(cut.end - 1)) {
    const int64_t after = std::max<int64_t>(cut.after - axis.dilation, 0);
    if (!axis.keeps_extent(cut.before, after, cut.end - 1 - cut.first)) break;
    --cut.end;
    cut.after = after;
  }
  return cut;
}

// Which rows (axis 1) or columns (axis 2) of a filter hold nothing but zeros.
std::vector<bool> zero_taps(const Tensor& filter, size_t axis) {
  const Shape& shape = filter.shape();
  std::vector<bool> zero(static_cast<size_t>(shape[axis]), true);
  const int64_t inner = axis == 1 ? shape[2] * shape[3] : shape[3];
  const std::optional<QuantParams>& quant = filter.type().quant;
  const QuantIndex index(shape, quant.value_or(QuantParams()));
  auto weighs = [&](int64_t i) {
    if (is_float(filter.type())) return filter.data<float>()[static_cast<size_t>(i)] != 0;
    const size_t at = quant->zero_point.size() == 1 ? 0 : index.channel(i);
    return filter.integer_at(i) != quant->zero_point[at];
  };
  for (int64_t i = 0; i < filter.size(); ++i)
    if (weighs(i)) zero[static_cast<size_t>(i / inner % shape[axis])] = false;
  return zero;
}

Tensor cut_filter(const Tensor& filter, const Cut& rows, const Cut& columns) {
  TensorType type = filter.type();
  const Shape old = type.shape;
  type.shape[1] = rows.end - rows.first;
  type.shape[2] = columns.end - columns.first;
  Tensor result(type);
  const auto pixel = static_cast<size_t>(old[3] * dtype_bytes(type.dtype));
  const auto run = pixel * static_cast<size_t>(type.shape[2]);
  uint8_t* to = result.mutable_bytes().data();
  for (int64_t o = 0; o < old[0]; ++o)
    for (int64_t y = rows.first; y < rows.end; ++y, to += run)
      std::memcpy(to,
                  filter.bytes().data() +
                      static_cast<size_t>((o * old[1] + y) * old[2] + columns.first) * pixel,
                  run);
  return result;
}

Window* window_of(Op& op) {
  if (auto* conv = std::get_if<Conv2d>(&op)) return &conv->window;
  if (auto* depthwise = std::get_if<DepthwiseConv2d>(&op)) return &depthwise->window;
  return nullptr;
}

bool trim(const View& view, int index, Patch& patch) {
  const Node node = view.node(index);
  Op op = node.op;
  Window* window = window_of(op);
  const Tensor* constant = window ? view.constant(node.inputs[1]) : nullptr;
  if (!constant || (!is_float(constant->type()) && !constant->type().quant)) return false;
  // Runs of a group go on from one row of taps to the next: without one they are other runs.
  if (constant->type().quant && constant->type().quant->group > 0) return false;
  const Tensor filter = *constant;
  const Shape &src = view.shape(node.inputs[0]), &out = view.shape(node.outputs[0]);
  const Axis rows{src[1],
                  out[1],
                  filter.shape()[1],
                  window->stride_h,
                  window->dilation_h,
                  window->pad_top,
                  window->pad_bottom};
  const Axis columns{
      src[2],           out[2],           filter.shape()[2], window->stride_w, window->dilation_w,
      window->pad_left, window->pad_right};
  const Cut y = find_cut(rows, zero_taps(filter, 1)), x = find_cut(columns, zero_taps(filter, 2));
  if (y.end - y.first == rows.k && x.end - x.first == columns.k) return false;
  window->pad_top = y.before;
  window->pad_bottom = y.after;
  window->pad_left = x.before;
  window->pad_right = x.after;
  std::vector<ValueId> inputs = node.inputs;
  const std::string name = view.graph().value(inputs[1]).name;
  inputs[1] = patch.add_constant(name, cut_filter(filter, y, x));
  patch.replace_node(index, std::move(op), std::move(inputs));
  return true;
}

}  // namespace

int trim_windows(Graph& graph) { return rewrite(graph, {trim}); }

}  // namespace nibble
