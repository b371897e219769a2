// Input channels of an integer layer that no input of the graph can change (all-zero filters,
// saturated activations: ranges.h proves it) go into its bias, their weights become zero:
//   bias[o] += sum over taps inside the image of (value - zero point) weight[o][tap][c]
// which is exact where that sum is the same at every output position; padding, which is the zero
// point, spoils it for other values where a window can leave the image. Channels that stay for that
// reason and have the same values are added up in one of them, as far as the sums fit the filter.
// Whole values that no input can change become constants. remove_channels then removes what is no
// longer read.
#include <algorithm>
#include <map>

#include "passes/channels.h"
#include "passes/list.h"
#include "passes/ranges.h"

namespace nibble {
namespace {

// Which elements of a value can hold one integer only.
struct FixedChannels {
  const Tensor* elems = nullptr;
  ChannelMarks fixed;    // at every position
  ChannelMarks uniform;  // the same integer at every position

  explicit FixedChannels(const ElementRange& range) : elems(&range.min) {
    const auto channels = static_cast<size_t>(elems->shape().back());
    fixed.assign(channels, true);
    uniform.assign(channels, true);
    auto min = range.min.data<int8_t>(), max = range.max.data<int8_t>();
    for (size_t i = 0, c = 0; i < min.size(); ++i, c = c + 1 == channels ? 0 : c + 1) {
      fixed[c] = fixed[c] && min[i] == max[i];
      uniform[c] = uniform[c] && min[i] == min[c];
    }
  }

  int32_t at(int64_t position, int64_t channel) const {
    return elems->data<int8_t>()[static_cast<size_t>(position * elems->shape().back() + channel)];
  }
};

// One axis of a layer's window: for each output position, the input position of each tap, -1
// outside the image.
using AxisTaps = std::vector<std::vector<int64_t>>;

AxisTaps axis_taps(int64_t out, int64_t in, int64_t k, int64_t stride, int64_t dilation,
                   int64_t pad) {
  AxisTaps taps(static_cast<size_t>(out));
  for (int64_t o = 0; o < out; ++o)
    for (int64_t t = 0; t < k; ++t) {
      const int64_t at = o * stride - pad + t * dilation;
      taps[static_cast<size_t>(o)].push_back(at >= 0 && at < in ? at : -1);
    }
  return taps;
}

// Positions that differ in which of their taps lie inside: for a channel of one value they stand
// for all others.
AxisTaps distinct(const AxisTaps& all) {
  auto inside = [](const std::vector<int64_t>& taps) {
    std::vector<bool> result;
    for (int64_t at : taps) result.push_back(at >= 0);
    return result;
  };
  AxisTaps result;
  std::vector<std::vector<bool>> seen;
  for (const auto& taps : all) {
    if (std::find(seen.begin(), seen.end(), inside(taps)) != seen.end()) continue;
    seen.push_back(inside(taps));
    result.push_back(taps);
  }
  return result;
}

// A layer and the constants that arrive at it.
class Folder {
 public:
  Folder(const View& view, WeightedLayer layer, const ElementRange& src)
      : view_(view), layer_(std::move(layer)), src_(src) {
    const Node& node = view.node(layer_.node);
    const TensorType &in = view.type(node.inputs[0]), &out = view.type(node.outputs[0]);
    zero_point_ = in.quant->zero_point[0];
    if (in.shape.size() == 4 && layer_.filter.shape().size() == 4) {
      const Window& window = layer_.window;
      batches_ = in.shape[0];
      in_w_ = in.shape[2];
      image_ = in.shape[1] * in_w_;
      rows_ = axis_taps(out.shape[1], in.shape[1], layer_.k_h, window.stride_h, window.dilation_h,
                        window.pad_top);
      columns_ = axis_taps(out.shape[2], in_w_, layer_.k_w, window.stride_w, window.dilation_w,
                           window.pad_left);
    } else {
      batches_ = elem_count(in.shape) / in.shape.back();
      rows_ = columns_ = {{0}};
    }
  }

  bool run(Patch& patch) {
    if (layer_.depthwise) return false;  // its output channel is constant then, and folded itself
    std::vector<int64_t> left;
    for (int64_t c = 0; c < layer_.in_channels; ++c)
      if (src_.fixed[static_cast<size_t>(c)] && is_read(c) && !fold(c)) left.push_back(c);
    merge(left);
    return replace_weights(view_, layer_, patch);
  }

 private:
  // The output channels that read input channel c, and its place among what they read.
  int64_t first_out(int64_t c) const {
    return c / layer_.read_channels() * (layer_.out_channels / layer_.groups);
  }
  int64_t end_out(int64_t c) const { return first_out(c) + layer_.out_channels / layer_.groups; }
  int64_t place(int64_t c) const { return c % layer_.read_channels(); }

  template <class Visit>  // visit(index of a weight)
  void for_each_weight(int64_t c, Visit&& visit) const {
    for (int64_t o = first_out(c); o < end_out(c); ++o)
      for (int64_t tap = 0; tap < layer_.taps(); ++tap) visit(layer_.index(o, tap, place(c)));
  }

  bool is_read(int64_t c) const {
    auto weights = layer_.filter.data<int8_t>();
    bool read = false;
    for_each_weight(c, [&](size_t at) { read = read || weights[at] != 0; });
    return read;
  }

  // What channel c adds to output channel o where rows and columns of the window are these.
  int64_t contribution(int64_t o, int64_t c, int64_t batch, const std::vector<int64_t>& rows,
                       const std::vector<int64_t>& columns) const {
    auto weights = layer_.filter.data<int8_t>();
    int64_t sum = 0;
    for (size_t ky = 0; ky < rows.size(); ++ky)
      for (size_t kx = 0; kx < columns.size(); ++kx) {
        if (rows[ky] < 0 || columns[kx] < 0) continue;
        const auto tap = static_cast<int64_t>(ky * columns.size() + kx);
        const int64_t position = batch * image_ + rows[ky] * in_w_ + columns[kx];
        sum +=
            int64_t{weights[layer_.index(o, tap, place(c))]} * (src_.at(position, c) - zero_point_);
      }
    return sum;
  }

  // The same at every output position, or nothing.
  std::optional<int64_t> contribution(int64_t o, int64_t c) const {
    const bool uniform = src_.uniform[static_cast<size_t>(c)];
    std::optional<int64_t> common;
    for (int64_t batch = 0; batch < (uniform ? 1 : batches_); ++batch)
      for (const auto& rows : uniform ? distinct_rows() : rows_)
        for (const auto& columns : uniform ? distinct_columns() : columns_) {
          const int64_t here = contribution(o, c, batch, rows, columns);
          if (common && *common != here) return std::nullopt;
          common = here;
        }
    return common;
  }
  const AxisTaps& distinct_rows() const {
    if (distinct_rows_.empty()) distinct_rows_ = distinct(rows_);
    return distinct_rows_;
  }
  const AxisTaps& distinct_columns() const {
    if (distinct_columns_.empty()) distinct_columns_ = distinct(columns_);
    return distinct_columns_;
  }

  bool fold(int64_t c) {
    std::vector<int64_t> sums;
    bool all_zero = true;
    for (int64_t o = first_out(c); o < end_out(c); ++o) {
      auto sum = contribution(o, c);
      if (!sum) return false;
      all_zero = all_zero && *sum == 0;
      sums.push_back(*sum);
    }
    if (!all_zero) {
      if (!layer_.bias) layer_.bias = zero_bias(view_, layer_);
      auto bias = layer_.bias->mutable_data<int32_t>();
      // The bound of the accumulator, which is proved, holds for the sum too.
      for (size_t i = 0; i < sums.size(); ++i)
        bias[static_cast<size_t>(first_out(c)) + i] += static_cast<int32_t>(sums[i]);
    }
    auto weights = layer_.filter.mutable_data<int8_t>();
    for_each_weight(c, [&](size_t at) { weights[at] = 0; });
    return true;
  }

  bool same_values(int64_t a, int64_t b) const {
    const int64_t positions = src_.elems->size() / layer_.in_channels;
    for (int64_t i = 0; i < positions; ++i)
      if (src_.at(i, a) != src_.at(i, b)) return false;
    return true;
  }

  // Channels that cannot be folded: the weights of the second of two equal ones go to the first.
  void merge(const std::vector<int64_t>& channels) {
    for (size_t i = 0; i < channels.size(); ++i)
      for (size_t k = i + 1; k < channels.size(); ++k)
        if (first_out(channels[i]) == first_out(channels[k]) && is_read(channels[i]) &&
            same_values(channels[i], channels[k]))
          add_weights(layer_, channels[k], channels[i]);
  }

  const View& view_;
  WeightedLayer layer_;
  const FixedChannels src_;
  int32_t zero_point_ = 0;
  int64_t batches_ = 1, image_ = 1, in_w_ = 1;
  AxisTaps rows_, columns_;
  mutable AxisTaps distinct_rows_, distinct_columns_;
};

bool is_fixed(const ElementRange& range) { return range.min == range.max; }

// Whole values first: what reads them is folded by other passes.
int fold_values(Graph& graph, const std::vector<std::optional<ElementRange>>& ranges) {
  View view(graph);
  Patch patch(graph);
  int changes = 0;
  for (int i = 0; i < view.node_count(); ++i) {
    const ValueId dst = view.node(i).outputs[0];
    const auto& range = ranges[static_cast<size_t>(dst)];
    if (!range || view.is_output(dst) || !is_fixed(*range)) continue;
    const std::string name = graph.value(dst).name;
    patch.remove_node(i);
    patch.replace_uses(dst, patch.add_constant(name, range->min));
    ++changes;
  }
  if (changes == 0) return 0;
  patch.apply();
  drop_dead_nodes(graph);
  return changes;
}

}  // namespace

int fold_constant_channels(Graph& graph) {
  const auto ranges = element_ranges(graph);
  if (int changes = fold_values(graph, ranges)) return changes;
  View view(graph);
  Patch patch(graph);
  int changes = 0;
  for (int i = 0; i < view.node_count(); ++i) {
    auto layer = weighted_layer(view, i);
    if (!layer) continue;
    const auto& src = ranges[static_cast<size_t>(view.node(i).inputs[0])];
    if (src && Folder(view, std::move(*layer), *src).run(patch)) ++changes;
  }
  if (changes > 0) patch.apply();
  return changes;
}

}  // namespace nibble
