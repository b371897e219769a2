// The chain for every integer operator, each in several variants and both roundings. An operator
// without a graph here fails the test that lists them.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/rng.h"
#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// A graph with one input [1,6,5,4] and every variant of an operator as an output.
class Variants {
 public:
  explicit Variants(const std::string& name, Rounding rounding) : rng_(17) {
    graph_.name = name;
    graph_.rounding = rounding;
    x_ = append_input(graph_, "x", {{1, 6, 5, 4}, DType::kS8, quant(0.05f, -9)});
  }

  static QuantParams quant(float scale, int32_t zero_point) {
    return {{scale}, {zero_point}, -1, 8, -128, 127};
  }
  ValueId x() const { return x_; }
  ValueId second(Shape shape = {1, 6, 5, 4}) {
    return append_input(graph_, "y", {std::move(shape), DType::kS8, quant(0.03f, 20)});
  }
  ValueId real(Shape shape) {
    return append_input(graph_, "real", {std::move(shape), DType::kF32, std::nullopt});
  }

  ValueId constant(Shape shape) {
    Tensor tensor = random_s8(std::move(shape));
    tensor.set_quant(quant(0.02f, 4));
    return append_constant(graph_, "c", tensor);
  }
  ValueId weights(Shape shape, int axis) {
    QuantParams params{{}, {}, axis, 8, -127, 127};
    int64_t channels = axis < 0 ? 1 : shape[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < channels; ++i) {
      params.scale.push_back(static_cast<float>(rng_.uniform(0.001, 0.01)));
      params.zero_point.push_back(0);
    }
    Tensor tensor = random_s8(std::move(shape));
    tensor.set_quant(params);
    return append_constant(graph_, "w", tensor);
  }
  ValueId bias(int64_t channels) {
    std::vector<int32_t> elems;
    for (int64_t i = 0; i < channels; ++i)
      elems.push_back(static_cast<int32_t>(rng_.integer(-3000, 3000)));
    return append_constant(graph_, "b", Tensor::of<int32_t>({channels}, DType::kS32, elems));
  }

  // The output's parameters follow the operator's rule.
  ValueId add(Op op, std::vector<ValueId> inputs, float scale = 0.07f, int32_t zero_point = 11) {
    QuantRule rule = quant_rule(op);
    QuantParams params = quant(scale, zero_point);
    if (rule.output == QuantRule::Output::kSameAsInput) params = *graph_.type(inputs[0]).quant;
    if (rule.output == QuantRule::Output::kFixed)
      params = quant(rule.fixed_scale, rule.fixed_zero_point);
    bool to_real = std::holds_alternative<Dequantize>(op);
    std::string name(op_name(op));
    auto id = append_node(graph_, std::move(op), name, std::move(inputs),
                          to_real ? std::nullopt : std::optional(params),
                          to_real ? DType::kF32 : DType::kS8);
    EXPECT_TRUE(id.ok()) << id.error().message;
    return *id;
  }
  void output(Op op, std::vector<ValueId> inputs, float scale = 0.07f, int32_t zero_point = 11) {
    graph_.outputs.push_back({add(std::move(op), std::move(inputs), scale, zero_point), {}});
  }
  Graph& graph() { return graph_; }

 private:
  Tensor random_s8(Shape shape) {
    std::vector<int8_t> elems(static_cast<size_t>(elem_count(shape)));
    for (int8_t& elem : elems) elem = static_cast<int8_t>(rng_.integer(-127, 127));
    return Tensor::of<int8_t>(std::move(shape), DType::kS8, elems);
  }

  Rng rng_;
  Graph graph_;
  ValueId x_;
};

Window window(int64_t stride, int64_t dilation, int64_t top, int64_t left, int64_t bottom,
              int64_t right) {
  return {stride, stride, dilation, dilation, top, left, bottom, right};
}

constexpr Bounds kRelu6{0, 6};

void conv2d(Variants& v) {
  v.output(Conv2d{window(1, 1, 1, 1, 1, 1), 1, kRelu6},
           {v.x(), v.weights({7, 3, 3, 4}, 0), v.bias(7)});
  v.output(Conv2d{window(2, 1, 0, 0, 1, 1), 1, {}}, {v.x(), v.weights({3, 3, 2, 4}, -1), kNoValue});
  v.output(Conv2d{window(1, 2, 2, 1, 2, 1), 2, {}}, {v.x(), v.weights({4, 2, 2, 2}, 0), v.bias(4)});
  v.output(Conv2d{window(1, 1, 0, 0, 0, 0), 1, {}}, {v.x(), v.weights({5, 1, 1, 4}, 0), v.bias(5)});
}
void depthwise_conv2d(Variants& v) {
  v.output(DepthwiseConv2d{window(1, 1, 1, 1, 1, 1), kRelu6},
           {v.x(), v.weights({1, 3, 3, 4}, 3), v.bias(4)});
  v.output(DepthwiseConv2d{window(2, 1, 0, 1, 1, 0), {}},
           {v.x(), v.weights({1, 3, 3, 8}, 3), kNoValue});
  v.output(DepthwiseConv2d{window(1, 2, 1, 2, 1, 2), {}},
           {v.x(), v.weights({1, 2, 3, 4}, -1), v.bias(4)});
}
void dense(Variants& v) {
  v.output(Dense{kRelu6}, {v.x(), v.weights({3, 4}, 0), v.bias(3)});
  ValueId flat = v.add(Reshape{{1, 120}}, {v.x()});
  v.output(Dense{}, {flat, v.weights({9, 120}, -1), kNoValue});
}
template <class T>
void binary(Variants& v) {
  v.output(T{}, {v.x(), v.second()});
  v.output(T{kRelu6}, {v.x(), v.x()});
  v.output(T{}, {v.x(), v.constant({4})});
  v.output(T{}, {v.constant({1, 6, 5, 4}), v.x()});
  v.output(T{}, {v.constant({1, 1, 1, 1}), v.x()});
  v.output(T{}, {v.x(), v.second({1, 6, 1, 4})});
  v.output(T{}, {v.second({1, 1, 5, 1}), v.x()});
}
void max_pool2d(Variants& v) {
  v.output(MaxPool2d{2, 2, window(2, 1, 0, 0, 0, 0), {}}, {v.x()});
  v.output(MaxPool2d{3, 2, window(1, 1, 1, 1, 1, 0), kRelu6}, {v.x()});
}
void avg_pool2d(Variants& v) {
  v.output(AvgPool2d{2, 3, window(1, 1, 0, 0, 0, 0), false, {}}, {v.x()});
  v.output(AvgPool2d{3, 3, window(2, 1, 1, 1, 1, 1), false, kRelu6}, {v.x()});
  v.output(AvgPool2d{3, 3, window(1, 1, 1, 1, 1, 1), true, {}}, {v.x()});
  v.output(AvgPool2d{6, 5, window(1, 1, 0, 0, 0, 0), false, {}}, {v.x()});
}
void mean(Variants& v) {
  v.output(Mean{{1, 2}, true}, {v.x()});
  v.output(Mean{{1, 2}, false}, {v.x()}, 0.05f, -9);
  v.output(Mean{{3}, false}, {v.x()});
  v.output(Mean{{1}, true}, {v.x()});
}
void pad(Variants& v) {
  v.output(Pad{{0, 1, 2, 0}, {0, 2, 0, 0}, 0}, {v.x()});
  v.output(Pad{{0, 0, 0, 1}, {0, 1, 0, 2}, -1.5f}, {v.x()});
}
void concat(Variants& v) {
  ValueId other = v.add(Clamp{kRelu6}, {v.x()}, 0.05f, -9);
  v.graph().outputs.push_back({v.add(Concat{3}, {v.x(), other}, 0.05f, -9), {}});
  v.output(Concat{1}, {v.x(), v.second(), other});
  v.output(Concat{2}, {v.x(), v.x()});
}
void reshape(Variants& v) {
  ValueId flat = v.add(Reshape{{1, 120}}, {v.x()});
  v.output(Reshape{{1, 10, 12}}, {flat});
  v.output(Clamp{kRelu6}, {flat});
  v.graph().outputs.push_back({flat, {}});
}
void transpose(Variants& v) {
  v.output(Transpose{{0, 3, 1, 2}}, {v.x()});
  v.output(Transpose{{3, 2, 0, 1}}, {v.x()});
}
void slice(Variants& v) {
  v.output(Slice{{0, 1, 0, 1}, {1, 4, 5, 2}, {1, 1, 1, 1}}, {v.x()});
  v.output(Slice{{0, 5, 0, 0}, {1, 3, 3, 4}, {1, -2, 2, 1}}, {v.x()});
}
void resize_nearest(Variants& v) {
  v.output(ResizeNearest{12, 10, false, false}, {v.x()});
  v.output(ResizeNearest{4, 7, false, false}, {v.x()});
  v.output(ResizeNearest{12, 9, true, false}, {v.x()});
}
void softmax(Variants& v) {
  v.output(Softmax{}, {v.x()});
  v.output(Softmax{0.5f}, {v.add(Reshape{{1, 120}}, {v.x()})});
}
void quantize(Variants& v) {
  v.output(Quantize{}, {v.x()});
  v.output(Quantize{}, {v.x()}, 0.01f, -128);
  v.output(Quantize{}, {v.real({1, 3, 7})}, 0.02f, 5);
}
void dequantize(Variants& v) { v.output(Dequantize{}, {v.x()}); }
template <class T>
void unary(Variants& v) {
  v.output(T{}, {v.x()});
}
void clamp(Variants& v) {
  v.output(Clamp{kRelu6}, {v.x()});
  v.output(Clamp{{-1, 1}}, {v.x()}, 0.05f, -9);
}

const std::map<std::string, std::function<void(Variants&)>>& all_variants() {
  static const std::map<std::string, std::function<void(Variants&)>> table = {
      {"conv2d", conv2d},
      {"depthwise_conv2d", depthwise_conv2d},
      {"dense", dense},
      {"add", binary<Add>},
      {"sub", binary<Sub>},
      {"mul", binary<Mul>},
      {"max_pool2d", max_pool2d},
      {"avg_pool2d", avg_pool2d},
      {"mean", mean},
      {"pad", pad},
      {"concat", concat},
      {"reshape", reshape},
      {"transpose", transpose},
      {"slice", slice},
      {"resize_nearest", resize_nearest},
      {"clamp", clamp},
      {"leaky_relu", unary<LeakyRelu>},
      {"sigmoid", unary<Sigmoid>},
      {"tanh", unary<Tanh>},
      {"hard_swish", unary<HardSwish>},
      {"hard_sigmoid", unary<HardSigmoid>},
      {"softmax", softmax},
      {"quantize", quantize},
      {"dequantize", dequantize},
  };
  return table;
}

TEST(ChainOperators, EveryIntegerOperatorHasItsGraph) {
#define NIBBLE_HAS_VARIANTS(Type, name) \
  EXPECT_TRUE(all_variants().contains(name) || std::string(name) == "batch_norm") << name;
  NIBBLE_OPERATORS(NIBBLE_HAS_VARIANTS)
#undef NIBBLE_HAS_VARIANTS
}

class ChainOperator : public testing::TestWithParam<std::string> {};

TEST_P(ChainOperator, HoldsInBothRoundings) {
  for (Rounding rounding : {Rounding::kTflite, Rounding::kSingle}) {
    Variants variants(GetParam(), rounding);
    all_variants().at(GetParam())(variants);
    const Graph& graph = variants.graph();
    Status verified = verify_graph(graph, VerifyLevel::kImported);
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    ChainOptions options;
    options.targets = chain_targets();
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 4, 99), options);
    EXPECT_TRUE(report.ok()) << report.error().message;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, variants] : all_variants()) result.push_back(name);
  return result;
}

INSTANTIATE_TEST_SUITE_P(All, ChainOperator, testing::ValuesIn(names()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace nibble
