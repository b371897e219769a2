// The graph of a listed network.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/text.h"
#include "cost/npu/layer_list.h"
#include "cost/npu/layer_words.h"
#include "ops/ops.h"

namespace nibble {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

QuantParams signed_grid(float scale, int32_t zero_point, int bits) {
  QuantParams quant;
  quant.scale = {scale};
  quant.zero_point = {zero_point};
  quant.bits = bits;
  quant.q_max = static_cast<int32_t>((int64_t{1} << (bits - 1)) - 1);
  quant.q_min = -quant.q_max - 1;
  return quant;
}

// What a name asks for beside the list: "mobilenet_v2 0.35 128x128x3 101".
struct Wanted {
  double width = 1;
  LayerList list;
};

Result<Wanted> wanted(const LayerLists& lists, const std::string& network) {
  std::vector<std::string> words = split(network, ' ');
  const auto found = lists.find(words[0]);
  if (found == lists.end())
    return input_error("'" + network + "': no list of layers has the name '" + words[0] + "'");
  Wanted result{1, found->second};
  for (const std::string& word : std::span(words).subspan(1)) {
    if (word.find('x') != std::string::npos) {
      NIBBLE_ASSIGN(result.list.input, extents(word));
    } else if (word.find('.') != std::string::npos) {
      NIBBLE_ASSIGN(result.width, parse_double(word));
    } else {
      NIBBLE_ASSIGN(result.list.classes, parse_int(word));
    }
  }
  if (result.list.input.size() != 3 || !(result.width > 0))
    return input_error("'" + network + "': expected a width above 0 and an input HxWxC");
  return result;
}

// "3x3/2", "5x1/2x1": kernel and stride.
struct Steps {
  int64_t k_h = 1, k_w = 1, stride_h = 1, stride_w = 1;
};
Result<Steps> steps(const std::string& word) {
  const size_t slash = word.find('/');
  NIBBLE_ASSIGN(const Shape kernel, extents(word.substr(0, slash)));
  Shape stride = {1, 1};
  if (slash != std::string::npos) {
    NIBBLE_ASSIGN(stride, extents(word.substr(slash + 1)));
    if (stride.size() == 1) stride.push_back(stride[0]);
  }
  if (kernel.size() != 2 || stride.size() != 2)
    return input_error("'" + word + "': expected KHxKW, KHxKW/S or KHxKW/SHxSW");
  return Steps{kernel[0], kernel[1], stride[0], stride[1]};
}

// TensorFlow's: as many outputs as strides begin in the image, the odd pixel behind.
void pad_same(int64_t in, int64_t k, int64_t stride, int64_t& before, int64_t& after) {
  const int64_t out = (in + stride - 1) / stride;
  const int64_t pad = std::max<int64_t>((out - 1) * stride + k - in, 0);
  before = pad / 2;
  after = pad - before;
}

class Builder {
 public:
  Builder(const Wanted& wanted, ListedScales scales) : wanted_(wanted), scales_(scales) {
    const bool usual = scales == ListedScales::kUsual;
    data_ = usual ? signed_grid(0.05f, 3, 8) : signed_grid(0.0625f, 0, 8);
    const Shape& input = wanted.list.input;
    now_ = append_input(graph_, "input", {{1, input[0], input[1], input[2]}, DType::kS8, data_});
    graph_.rounding = Rounding::kTflite;
  }

  Status add(const ListedLayer& layer) {
    words_ = layer.words;
    const std::string& kind = words_[0];
    for (const std::string& word : words_)
      if (word.find('=') != std::string::npos && !word.starts_with("pad=") &&
          !word.starts_with("act="))
        return input_error("'" + word + "': expected pad= or act=");
    if (kind == "keep") {
      kept_ = now_;
      return {};
    }
    if (kind == "shortcut") return shortcut();
    if (kind == "conv" || kind == "depthwise") return filter(now_);
    if (kind == "max_pool" || kind == "avg_pool") return pool();
    if (kind == "avg_to" || kind == "global_pool") return average_to();
    if (kind == "dense") return dense();
    if (kind == "flatten") return node(Reshape{{1, elem_count(shape())}}, {now_});
    if (kind == "softmax") return node(Softmax{}, {now_});
    if (kind == "add") {
      if (kept_ == kNoValue) return input_error("'add' without 'keep' before it");
      return node(Add{}, {now_, kept_});
    }
    return input_error("no kind of layer: '" + kind + "'");
  }
  Graph finish() {
    graph_.outputs = {{now_, {}}};
    return std::move(graph_);
  }

 private:
  const Shape& shape() const { return graph_.type(now_).shape; }
  Status image() const {
    if (shape().size() == 4) return {};
    return input_error("expected an image in front of '" + words_[0] + "'");
  }
  Status node(Op op, std::vector<ValueId> inputs) {
    const std::string name(op_name(op));
    // Shares of 1, as TFLite has them.
    const QuantParams quant =
        std::holds_alternative<Softmax>(op) ? signed_grid(1 / 256.0f, -128, 8) : data_;
    NIBBLE_ASSIGN(now_, append_node(graph_, std::move(op), name, std::move(inputs), quant));
    return {};
  }
  // The operands behind the data: weights and a bias, all zero.
  std::vector<ValueId> operands(ValueId src, Shape weights, int axis) {
    const int64_t channels = weights[static_cast<size_t>(axis)];
    const float scale = scales_ == ListedScales::kUsual ? 0.01f : 0.0078125f;
    QuantParams quant = signed_grid(scale, 0, 8);
    QuantParams sums = signed_grid(scale * data_.scale[0], 0, 32);
    if (scales_ == ListedScales::kUsual) {
      quant.axis = axis;
      sums.axis = 0;
      for (QuantParams* each : {&quant, &sums}) {
        each->scale.resize(static_cast<size_t>(channels), each->scale[0]);
        each->zero_point.resize(static_cast<size_t>(channels), 0);
      }
    }
    const ValueId filter =
        append_constant(graph_, "weights", Tensor({std::move(weights), DType::kS8, quant}));
    return {src, filter, append_constant(graph_, "bias", Tensor({{channels}, DType::kS32, sums}))};
  }
  // Words of the form KEY=VALUE.
  std::string option(const std::string& key, const std::string& otherwise) const {
    for (const std::string& word : words_)
      if (word.starts_with(key + "=")) return word.substr(key.size() + 1);
    return otherwise;
  }
  Result<Bounds> activation(const std::string& otherwise) const {
    const std::string word = option("act", otherwise);
    if (word == "none") return Bounds{};
    if (word == "relu") return Bounds{0, kInf};
    return input_error("act=" + word + ": expected relu or none");
  }
  Result<int64_t> channels(size_t at, int64_t in) const {
    if (words_.size() <= at) return input_error("'" + words_[0] + "' without channels");
    std::string word = words_[at];
    if (word == "classes") return wanted_.list.classes;
    const bool raised = word.ends_with("w+");
    if (raised) word.pop_back();
    const char last = word.back();
    if (last == 'w' || last == 'x') word.pop_back();
    NIBBLE_ASSIGN(const int64_t number, parse_int(word));
    if (last == 'x') return number * in;
    if (last != 'w') return number;
    return raised ? std::max(number, times_width(number)) : times_width(number);
  }
  int64_t times_width(int64_t number) const {
    const double exact = static_cast<double>(number) * wanted_.width;
    const int64_t nearest = std::max<int64_t>(8, static_cast<int64_t>(exact + 4) / 8 * 8);
    return static_cast<double>(nearest) < 0.9 * exact ? nearest + 8 : nearest;
  }
  Result<Window> window(const Steps& steps, const Shape& in) const {
    Window window{.stride_h = steps.stride_h, .stride_w = steps.stride_w};
    const std::string pad = option("pad", "same");
    if (pad == "valid") return window;
    if (pad == "same") {
      pad_same(in[1], steps.k_h, steps.stride_h, window.pad_top, window.pad_bottom);
      pad_same(in[2], steps.k_w, steps.stride_w, window.pad_left, window.pad_right);
      return window;
    }
    NIBBLE_ASSIGN(const Shape both, extents(pad));
    window.pad_top = window.pad_bottom = both.front();
    window.pad_left = window.pad_right = both.back();
    return window;
  }
  Status filter(ValueId src) {
    NIBBLE_TRY(image());
    if (words_.size() < 2) return input_error("'" + words_[0] + "' without a kernel");
    NIBBLE_ASSIGN(const Steps size, steps(words_[1]));
    const Shape in = graph_.type(src).shape;
    if (size.stride_h < 1 || size.stride_w < 1) return input_error("'" + words_[1] + "': stride 0");
    NIBBLE_ASSIGN(const Window place, window(size, in));
    NIBBLE_ASSIGN(const Bounds act, activation("relu"));
    if (words_[0] == "depthwise")
      return node(DepthwiseConv2d{place, act}, operands(src, {1, size.k_h, size.k_w, in[3]}, 3));
    NIBBLE_ASSIGN(const int64_t out, channels(2, in[3]));
    return node(Conv2d{place, 1, act}, operands(src, {out, size.k_h, size.k_w, in[3]}, 0));
  }
  Status shortcut() {
    if (kept_ == kNoValue) return input_error("'shortcut' without 'keep' before it");
    const ValueId here = now_;
    now_ = kept_;
    NIBBLE_TRY(filter(kept_));
    kept_ = std::exchange(now_, here);
    return {};
  }
  Status pool() {
    NIBBLE_TRY(image());
    if (words_.size() != 2) return input_error("expected '" + words_[0] + " KHxKW[/S]'");
    NIBBLE_ASSIGN(Steps size, steps(words_[1]));
    if (words_[1].find('/') == std::string::npos) size = {size.k_h, size.k_w, size.k_h, size.k_w};
    const Window place{.stride_h = size.stride_h, .stride_w = size.stride_w};
    if (words_[0] == "max_pool") return node(MaxPool2d{size.k_h, size.k_w, place, {}}, {now_});
    return node(AvgPool2d{size.k_h, size.k_w, place, false, {}}, {now_});
  }
  // Windows of one size, the smallest that reach both ends.
  Status average_to() {
    NIBBLE_TRY(image());
    Shape out = {1, 1};
    if (words_[0] == "avg_to") {
      if (words_.size() != 2) return input_error("expected 'avg_to HxW'");
      NIBBLE_ASSIGN(out, extents(words_[1]));
    }
    const int64_t h = shape()[1], w = shape()[2];
    if (out.size() != 2 || out[0] < 1 || out[1] < 1 || out[0] > h || out[1] > w)
      return input_error(fmt::format("averages of {}x{} positions: more than the image has", h, w));
    const Window place{.stride_h = h / out[0], .stride_w = w / out[1]};
    return node(
        AvgPool2d{
            h - (out[0] - 1) * place.stride_h, w - (out[1] - 1) * place.stride_w, place, false, {}},
        {now_});
  }
  Status dense() {
    const int64_t in = shape().back();
    NIBBLE_ASSIGN(const int64_t out, channels(1, in));
    NIBBLE_ASSIGN(const Bounds act, activation("none"));
    return node(Dense{act}, operands(now_, {out, in}, 0));
  }

  const Wanted& wanted_;
  ListedScales scales_;
  QuantParams data_;
  Graph graph_;
  ValueId now_ = kNoValue, kept_ = kNoValue;
  std::vector<std::string> words_;  // of the layer at hand
};

}  // namespace

Result<Graph> listed_network(const LayerLists& lists, const std::string& network,
                             ListedScales scales) {
  NIBBLE_ASSIGN(const Wanted what, wanted(lists, network));
  Builder builder(what, scales);
  for (const ListedLayer& layer : what.list.layers)
    if (const Status status = builder.add(layer); !status.ok())
      return input_error(
          fmt::format("'{}', line {}: {}", network, layer.line, status.error().message));
  Graph graph = builder.finish();
  graph.name = network;
  return graph;
}

}  // namespace nibble
