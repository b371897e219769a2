// fold_qdq and integer_ports: QDQ islands become integer operators whose results are within one
// step of the real ones.
#include "passes/list.h"
#include "passes/passes.h"
#include "passes/qdq.h"
#include "support/pass_test.h"
#include "support/random_graph.h"

namespace nibble {
namespace {

std::string quant(double scale, int zero_point) {
  return " {scale=[" + std::to_string(scale) + "], zero_point=[" + std::to_string(zero_point) +
         "], bits=8, range=[-128,127]}";
}

const std::string kIn = quant(0.02, 3), kOut = quant(0.05, -7);

// x (f32) → q → dq → `body` (from %x2 to %h) → q → dq → y (f32).
std::string island(const std::string& in_shape, const std::string& body,
                   const std::string& out_shape, const std::string& out = kOut) {
  return "input %x : f32[" + in_shape + "]\nnode \"q1\" %x1 : s8[" + in_shape + "]" + kIn +
         " = quantize(%x)\nnode \"dq1\" %x2 : f32[" + in_shape + "] = dequantize(%x1)\n" + body +
         "\nnode \"q2\" %y1 : s8[" + out_shape + "]" + out +
         " = quantize(%h)\nnode \"dq2\" %y : f32[" + out_shape + "] = dequantize(%y1)\noutput %y\n";
}

int float_nodes(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) count += !is_integer_node(graph, node);
  return count;
}

// The integer graph with its quantize in front and its dequantize behind.
Graph folded(const std::string& text) {
  Graph before = graph_of(text);
  before.rounding = Rounding::kSingle;
  Graph after = before;
  SimplifyOptions options;
  options.verify_each = true;
  options.integer_ports = IntegerPorts::kOff;
  auto status = simplify(after, options);
  EXPECT_TRUE(status.ok()) << status.error().message;
  // Within one step of the output: relative to a largest value of at least 1 in these graphs.
  expect_same_function(before, after, 1, 0.0501, 0);
  return after;
}

const std::string kConv =
    R"(const %wq : s8[4,3,3,3] {scale=[0.01,0.02,0.005,0.01], zero_point=[0,0,0,0], axis=0, bits=8, range=[-128,127]} = random
node "dw" %w : f32[4,3,3,3] = dequantize(%wq)
)";

// The same graph with and without the mark.
TEST(FoldQdq, WhatTheUserWantsInFloatStays) {
  const std::string mean = "node \"mean\" %h : f32[1,1,1,3] = mean(%x2) axes=[1,2] keep_dims=true";
  EXPECT_EQ(float_nodes(folded(island("1,5,5,3", mean, "1,1,1,3"))), 2);  // its borders
  Graph kept = graph_of(island("1,5,5,3", mean + " keep_float", "1,1,1,3"));
  const std::string before = print_graph(kept);
  ASSERT_TRUE(simplify(kept).ok());
  EXPECT_EQ(print_graph(kept), before);

  Graph real = graph_of(
      "input %x : f32[1,4]\nnode \"a\" %a : f32[1,4] = clamp(%x) act=[0,1] keep_float\n"
      "node \"y\" %y : f32[1,4] = sigmoid(%a)\noutput %y\n");
  auto status = simplify(real);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("keep_float"), std::string::npos);
}

TEST(FoldQdq, ConvolutionWithEveryKindOfBias) {
  const std::string range = "bits=32, range=[-2147483648,2147483647]} = random\n";
  const std::string dequantize = "node \"db\" %b : f32[4] = dequantize(%bq)\n";
  const std::string biases[] = {
      "const %b : f32[4] = random\n",
      "const %bq : s32[4] {scale=[0.0002,0.0004,0.0001,0.0002], zero_point=[0,0,0,0], axis=0, " +
          range + dequantize,
      "const %bq : s32[4] {scale=[0.001], zero_point=[0], " + range + dequantize,
  };
  for (const std::string& bias : biases) {
    Graph after = folded(island("1,5,5,3",
                                kConv + bias +
                                    "node \"conv\" %c : f32[1,3,3,4] = conv2d(%x2, %w, "
                                    "%b)\nnode \"relu\" %h : f32[1,3,3,4] = clamp(%c) "
                                    "act=[0,6]",
                                "1,3,3,4"));
    EXPECT_EQ(after.nodes.size(), 3u) << skeleton(after);
    EXPECT_EQ(float_nodes(after), 2) << skeleton(after);
    const Node& conv = after.nodes[1];
    EXPECT_EQ(std::get<Conv2d>(conv.op).act, (Bounds{0, 6}));
    const TensorType& type = after.type(conv.inputs[2]);
    EXPECT_EQ(type.dtype, DType::kS32);
    EXPECT_FLOAT_EQ(type.quant->scale[1], 0.02f * 0.02f);
  }
}

TEST(FoldQdq, BiasByHand) {
  // 0.5 real, scale 0.02 * 0.01: 2500 steps.
  Graph after = folded(island(
      "1,2",
      R"(const %wq : s8[1,2] {scale=[0.01], zero_point=[0], bits=8, range=[-128,127]} = hex:6400
node "dw" %w : f32[1,2] = dequantize(%wq)
const %b : f32[1] = hex:0000003f
node "fc" %h : f32[1,1] = dense(%x2, %w, %b))",
      "1,1"));
  ASSERT_EQ(after.nodes.size(), 3u);
  EXPECT_EQ(after.value(after.nodes[1].inputs[2]).constant->integer_at(0), 2500);
}

TEST(FoldQdq, OperatorsWithoutWeights) {
  struct Case {
    const char* node;
    const char* shape;
  };
  const Case cases[] = {
      {"add(%x2, %x2)", "1,4,4,2"},
      {"sub(%x2, %x2)", "1,4,4,2"},
      {"mul(%x2, %x2)", "1,4,4,2"},
      {"max_pool2d(%x2) k_h=2 k_w=2", "1,3,3,2"},
      {"avg_pool2d(%x2) k_h=2 k_w=2", "1,3,3,2"},
      {"avg_pool2d(%x2) k_h=4 k_w=4", "1,1,1,2"},
      {"mean(%x2) axes=[1,2] keep_dims=true", "1,1,1,2"},
      {"clamp(%x2) act=[0,inf]", "1,4,4,2"},
      {"sigmoid(%x2)", "1,4,4,2"},
      {"hard_swish(%x2)", "1,4,4,2"},
      {"leaky_relu(%x2) alpha=0.1", "1,4,4,2"},
      {"concat(%x2, %x2) axis=3", "1,4,4,4"},
      {"transpose(%x2) perm=[0,3,1,2]", "1,2,4,4"},
      {"pad(%x2) before=[0,1,1,0] after=[0,0,0,0]", "1,5,5,2"},
      {"slice(%x2) begin=[0,1,0,0] extent=[1,2,4,2] step=[1,1,1,1]", "1,2,4,2"},
      {"reshape(%x2) shape=[1,32]", "1,32"},
  };
  for (const Case& test : cases) {
    Graph after = folded(
        island("1,4,4,2", std::string("node \"op\" %h : f32[") + test.shape + "] = " + test.node,
               test.shape));
    EXPECT_EQ(float_nodes(after), 2) << test.node << "\n" << skeleton(after);
  }
}

TEST(FoldQdq, AveragesRoundOnce) {
  Graph global = folded(island("1,4,4,2",
                               "node \"op\" %h : f32[1,1,1,2] = avg_pool2d(%x2) k_h=4 "
                               "k_w=4",
                               "1,1,1,2"));
  ASSERT_EQ(global.nodes.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<Mean>(global.nodes[1].op));
  Graph window = folded(island("1,4,4,2",
                               "node \"op\" %h : f32[1,3,3,2] = avg_pool2d(%x2) k_h=2 "
                               "k_w=2",
                               "1,3,3,2"));
  ASSERT_EQ(window.nodes.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<DepthwiseConv2d>(window.nodes[1].op));
  Graph same = folded(island("1,4,4,2",
                             "node \"op\" %h : f32[1,3,3,2] = avg_pool2d(%x2) k_h=2 "
                             "k_w=2",
                             "1,3,3,2", kIn));
  ASSERT_EQ(same.nodes.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<AvgPool2d>(same.nodes[1].op));
}

TEST(FoldQdq, DequantizeThenQuantize) {
  Graph same =
      folded(island("1,4", "node \"op\" %h : f32[1,4] = reshape(%x2) shape=[1,4]", "1,4", kIn));
  EXPECT_EQ(same.nodes.size(), 2u) << skeleton(same);
  Graph other =
      folded(island("1,4", "node \"op\" %h : f32[1,4] = reshape(%x2) shape=[1,4]", "1,4"));
  EXPECT_EQ(other.nodes.size(), 3u) << skeleton(other);
  EXPECT_TRUE(is_integer_node(other, other.nodes[1]));
}

TEST(FoldQdq, WithoutAQuantizeBehindItStaysFloat) {
  Graph after = folded("input %x : f32[1,4]\nnode \"q\" %q : s8[1,4]" + kIn +
                       " = quantize(%x)\nnode \"dq\" %r : f32[1,4] = dequantize(%q)\n"
                       "const %wq : s8[2,4]" +
                       quant(0.01, 0) +
                       " = random\nnode \"dw\" %w : f32[2,4] = dequantize(%wq)\n"
                       "node \"fc\" %y : f32[1,2] = dense(%r, %w, _)\noutput %y\n");
  EXPECT_EQ(skeleton(after).find("dense(%r, %w"), skeleton(after).find("dense("))
      << skeleton(after);
  EXPECT_EQ(after.type(after.nodes.back().inputs[1]).dtype, DType::kF32)
      << "the weights are dequantized beforehand";
}

TEST(FoldQdq, AsymmetricWeightsKeepTheirZeroPoint) {
  Graph after = folded(island("1,4",
                              "const %wq : s8[2,4]" + quant(0.01, 5) +
                                  " = random\nnode \"dw\" %w : f32[2,4] = dequantize(%wq)\n"
                                  "node \"fc\" %h : f32[1,2] = dense(%x2, %w, _)",
                              "1,2"));
  ASSERT_EQ(float_nodes(after), 2) << skeleton(after);  // its borders
  ASSERT_EQ(after.nodes.size(), 3u);
  const ValueId filter = after.nodes[1].inputs[1];
  EXPECT_EQ(after.type(filter).quant->zero_point, std::vector<int32_t>{5});
}

// An integer graph as ONNX would write it: every operator in float, between dequantize and
// quantize.
Graph as_qdq(const Graph& integer) {
  Graph graph = integer;
  graph.nodes.clear();
  std::vector<ValueId> real(integer.values.size(), kNoValue);  // the dequantized form of each value
  auto add_value = [&](const std::string& name, const TensorType& type) {
    graph.values.push_back({name, {type.shape, DType::kF32, std::nullopt}, std::nullopt});
    return static_cast<ValueId>(graph.values.size() - 1);
  };
  auto dequantize = [&](ValueId id) {
    if (id == kNoValue) return id;
    ValueId& form = real[static_cast<size_t>(id)];
    if (form == kNoValue) {
      const std::string name = integer.value(id).name + "_real";
      form = add_value(name, integer.type(id));
      graph.nodes.push_back({name, Dequantize{}, {id}, {form}});
    }
    return form;
  };
  for (const Node& node : integer.nodes) {
    Node in_float = node;
    for (ValueId& id : in_float.inputs) id = dequantize(id);
    in_float.outputs = {add_value(node.name + "_float", integer.type(node.outputs[0]))};
    graph.nodes.push_back(in_float);
    graph.nodes.push_back({node.name + "_quantize", Quantize{}, in_float.outputs, node.outputs});
  }
  return graph;
}

// The integer operators come back exactly: same operators, same constants, so the same bytes.
TEST(FoldQdq, RandomGraphsComeBack) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    RandomGraphOptions random_options;
    random_options.integer = true;
    Graph integer = random_graph(seed, random_options);
    integer.rounding = Rounding::kSingle;
    if (!verify_graph(integer, VerifyLevel::kImported).ok()) continue;
    Graph after = as_qdq(integer);
    SimplifyOptions options;
    options.verify_each = true;
    auto status = simplify(after, options);
    ASSERT_TRUE(status.ok()) << status.error().message;
    ASSERT_EQ(float_nodes(after), 0) << "seed " << seed << "\n" << skeleton(after);
    expect_same_function(integer, after, seed);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << "\n"
                               << skeleton(integer) << "\n"
                               << skeleton(after);
  }
}

TEST(IntegerPorts, QdqGraphsTakeAndGiveIntegers) {
  Graph before = graph_of(island("1,4", "node \"op\" %h : f32[1,4] = add(%x2, %x2)", "1,4"));
  Graph after = before;
  ASSERT_TRUE(simplify(after).ok());
  EXPECT_EQ(skeleton(after),
            "input %x : s8[1,4] {scale=[0.02], zero_point=[3], bits=8, "
            "range=[-128,127]}\nnode \"op\" %y : s8[1,4] {scale=[0.05], "
            "zero_point=[-7], bits=8, range=[-128,127]} = add(%x, %x)\noutput %y\n");
  EXPECT_TRUE(verify_graph(after, VerifyLevel::kQuantized).ok());
  expect_same_function(before, after, 1, 0, 1);
}

TEST(IntegerPorts, AnIntegerModelWithRealPortsKeepsThem) {
  const std::string text = "input %x : f32[1,4]\nnode \"q\" %a : s8[1,4]" + kIn +
                           " = quantize(%x)\nnode \"op\" %b : s8[1,4]" + kOut +
                           " = add(%a, %a)\nnode \"dq\" %y : f32[1,4] = dequantize(%b)\noutput "
                           "%y\n";
  Graph after = graph_of(text);
  ASSERT_TRUE(simplify(after).ok());
  EXPECT_EQ(after.nodes.size(), 3u);
  SimplifyOptions options;
  options.integer_ports = IntegerPorts::kOn;
  ASSERT_TRUE(simplify(after, options).ok());
  EXPECT_EQ(after.nodes.size(), 1u) << skeleton(after);
}

TEST(IntegerPorts, ALastSoftmaxIsComputedOnIntegers) {
  Graph before = graph_of(
      "input %x : f32[1,4]\nnode \"q\" %a : s8[1,4]" + kIn +
      " = quantize(%x)\nnode \"dq\" %b : f32[1,4] = dequantize(%a)\nnode \"n\" %n : f32[1,4] = "
      "add(%b, %b)\nnode \"q2\" %a2 : s8[1,4]" +
      kOut +
      " = quantize(%n)\nnode \"dq2\" %b2 : f32[1,4] = dequantize(%a2)\nnode \"s\" %y : f32[1,4] = "
      "softmax(%b2)\noutput %y\n");
  Graph after = before;
  ASSERT_TRUE(simplify(after).ok());
  EXPECT_TRUE(verify_graph(after, VerifyLevel::kQuantized).ok()) << skeleton(after);
  expect_same_function(before, after, 1, 0.06, 4);
}

}  // namespace
}  // namespace nibble
