// The ONNX reader on tiny models made in code: what becomes of the operators (values computed by
// hand).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "formats/formats.h"
#include "ops/ops.h"
#include "support/onnx_builder.h"

namespace nibble {
namespace {

using onnx::TensorProto;
using testing::ElementsAre;

Result<Graph> parse(const OnnxBuilder& b) { return parse_onnx(b.bytes(), "m.onnx"); }

std::vector<float> run(const OnnxBuilder& b, std::vector<float> input) {
  auto graph = parse(b);
  EXPECT_TRUE(graph.ok()) << (graph.ok() ? "" : graph.error().message);
  if (!graph.ok()) return {};
  Tensor tensor = Tensor::of_floats(graph->type(graph->inputs[0].value).shape, input);
  Tensor out = Interpreter(*graph).run(std::span(&tensor, 1))[0];
  auto data = out.data<float>();
  return {data.begin(), data.end()};
}

int count_ops(const Graph& graph, const std::string& name) {
  return static_cast<int>(
      std::count_if(graph.nodes.begin(), graph.nodes.end(),
                    [&](const Node& node) { return op_name(node.op) == name; }));
}

TEST(Onnx, ConvTurnsLayoutAndFilter) {
  OnnxBuilder b;
  b.input("x", {1, 2, 1, 2});
  b.floats("w", {1, 2, 1, 1}, {10, 100});
  b.floats("c", {1}, {0.5f});
  b.node("Conv", {"x", "w", "c"}, {"y"}, "conv");
  b.output("y");
  // x: channel 0 = {1,2}, channel 1 = {3,4}
  EXPECT_THAT(run(b, {1, 2, 3, 4}), ElementsAre(310.5f, 420.5f));
  auto graph = parse(b);
  EXPECT_EQ(graph->nodes[1].name, "conv");
  EXPECT_EQ(graph->type(graph->nodes[1].inputs[1]).shape, (Shape{1, 1, 1, 2}));
  EXPECT_EQ(graph->value(graph->outputs[0].value).name, "y");
}

TEST(Onnx, DepthwiseIsRecognized) {
  OnnxBuilder b;
  b.input("x", {1, 2, 1, 1});
  b.floats("w", {4, 1, 1, 1}, {1, 2, 3, 4});
  OnnxBuilder::set(b.node("Conv", {"x", "w"}, {"y"}), "group", int64_t{2});
  b.output("y");
  EXPECT_THAT(run(b, {10, 100}), ElementsAre(10, 20, 300, 400));
  auto graph = parse(b);
  EXPECT_EQ(count_ops(*graph, "depthwise_conv2d"), 1);
}

TEST(Onnx, AutoPadPutsTheOddColumnWhereAsked) {
  for (bool upper : {true, false}) {
    OnnxBuilder b;
    b.input("x", {1, 1, 4});
    b.floats("w", {1, 1, 2}, {1, 10});
    OnnxBuilder::set(b.node("Conv", {"x", "w"}, {"y"}), "auto_pad",
                     std::string(upper ? "SAME_UPPER" : "SAME_LOWER"));
    b.output("y");
    auto found = run(b, {1, 2, 3, 4});
    if (upper)
      EXPECT_THAT(found, ElementsAre(21, 32, 43, 4));
    else
      EXPECT_THAT(found, ElementsAre(10, 21, 32, 43));
  }
}

TEST(Onnx, GemmFoldsAlphaBetaAndTransposes) {
  OnnxBuilder b;
  b.input("x", {1, 2});
  b.floats("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  b.floats("c", {1, 3}, {1, 2, 3});
  auto& gemm = b.node("Gemm", {"x", "w", "c"}, {"y"});
  OnnxBuilder::set(gemm, "alpha", 2.0f);
  OnnxBuilder::set(gemm, "beta", 10.0f);
  b.output("y");
  EXPECT_THAT(run(b, {1, 1}), ElementsAre(20, 34, 48));
  auto graph = parse(b);
  EXPECT_EQ(graph->nodes.size(), 1U);
}

TEST(Onnx, SoftmaxMeansWhatItsOpsetSays) {
  for (int64_t opset : {11, 13}) {
    OnnxBuilder b(opset);
    b.input("x", {1, 2, 2});
    OnnxBuilder::set(b.node("Softmax", {"x"}, {"y"}), "axis", int64_t{1});
    b.output("y");
    auto found = run(b, {0, 0, 0, 0});
    float each = opset < 13 ? 0.25f : 0.5f;
    EXPECT_THAT(found, ElementsAre(each, each, each, each));
  }
}

TEST(Onnx, BookkeepingOnShapesIsFolded) {
  OnnxBuilder b;
  b.input("x", {-1, 2, 3});
  b.ints("zero", {0});
  b.ints("minus", {-1});
  b.node("Shape", {"x"}, {"shape"});
  b.node("Gather", {"shape", "zero"}, {"batch"});
  b.node("Concat", {"batch", "minus"}, {"wanted"});
  OnnxBuilder::set(*b.graph().mutable_node(2), "axis", int64_t{0});
  b.node("Reshape", {"x", "wanted"}, {"y"});
  b.output("y");
  auto graph = parse(b);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  ASSERT_EQ(graph->nodes.size(), 1U);
  EXPECT_EQ(graph->type(graph->outputs[0].value).shape, (Shape{1, 6}));
}

TEST(Onnx, NodesInAnyOrderAreSorted) {
  OnnxBuilder b;
  b.input("x", {1, 2});
  b.node("Relu", {"h"}, {"y"}, "second");
  b.node("Neg", {"x"}, {"h"}, "first");
  b.output("y");
  EXPECT_THAT(run(b, {1, -2}), ElementsAre(0, 2));
}

TEST(Onnx, ConstantsAmongTheInputsAreNoInputs) {
  OnnxBuilder b;
  b.input("x", {1, 1});
  b.input("w", {1, 1});
  b.floats("w", {1, 1}, {3});
  b.node("MatMul", {"x", "w"}, {"y"});
  b.output("y");
  EXPECT_THAT(run(b, {2}), ElementsAre(6));
}

TEST(Onnx, AllFloatAndIntegerEncodingsAreRead) {
  // 1.5 as f16, bf16, double, f32 in typed fields; -3 as packed INT4.
  OnnxBuilder b(21);
  b.input("x", {1, 1});
  b.constant<uint16_t>("half", {1, 1}, TensorProto::FLOAT16, {0x3e00});
  b.constant<uint16_t>("brain", {1, 1}, TensorProto::BFLOAT16, {0x3fc0});
  b.constant<double>("wide", {1, 1}, TensorProto::DOUBLE, {1.5});
  auto& typed = b.floats("typed", {1, 1}, {});
  typed.clear_raw_data();
  typed.add_float_data(1.5f);
  auto& half_field = b.constant<uint16_t>("half_field", {1, 1}, TensorProto::FLOAT16, {});
  half_field.clear_raw_data();
  half_field.add_int32_data(0x3e00);
  b.constant<uint8_t>("four", {1, 1}, 22, {0x0d});
  b.floats("scale", {}, {0.5f});
  b.constant<uint8_t>("zero", {}, 22, {0});
  b.node("DequantizeLinear", {"four", "scale", "zero"}, {"w4"});
  std::string last = "x";
  for (std::string name : {"half", "brain", "wide", "typed", "half_field", "w4"}) {
    b.node("Add", {last, name}, {"sum_" + name});
    last = "sum_" + name;
  }
  b.output(last);
  EXPECT_THAT(run(b, {0}), ElementsAre(7.5f - 1.5f));
}

TEST(Onnx, QdqKeepsScalesAndMakesUnsignedSigned) {
  OnnxBuilder b;
  b.input("x", {1, 2});
  b.floats("s", {}, {0.5f});
  b.constant<uint8_t>("z", {}, TensorProto::UINT8, {128});
  b.constant<int8_t>("w", {2, 2}, TensorProto::INT8, {1, 2, 3, 4});
  b.floats("ws", {2}, {1, 10});
  b.constant<int8_t>("wz", {2}, TensorProto::INT8, {0, 0});
  b.node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  b.node("DequantizeLinear", {"q", "s", "z"}, {"r"});
  OnnxBuilder::set(b.node("DequantizeLinear", {"w", "ws", "wz"}, {"wr"}), "axis", int64_t{0});
  OnnxBuilder::set(b.node("Gemm", {"r", "wr"}, {"y"}), "transB", int64_t{1});
  b.output("y");
  EXPECT_THAT(run(b, {1.2f, -0.6f}), ElementsAre(1.0f * 1 - 0.5f * 2, 1.0f * 30 - 0.5f * 40));
  auto graph = parse(b);
  const Value& q = graph->value(graph->nodes[0].outputs[0]);
  EXPECT_EQ(q.name, "q");
  EXPECT_EQ(q.type.dtype, DType::kS8);
  EXPECT_EQ(q.type.quant->zero_point[0], 0);
}

// The border of an integer Pad is a step: 0x80 + 4 of zero point 0x80 and scale 0.5 is 2.
TEST(Onnx, PadOfIntegersIsFilledWithAStep) {
  OnnxBuilder b;
  b.input("x", {1, 2});
  b.floats("s", {}, {0.5f});
  b.constant("z", {}, onnx::TensorProto::UINT8, std::vector<uint8_t>{0x80});
  b.ints("pads", {0, 1, 0, 0});
  b.constant("fill", {}, onnx::TensorProto::UINT8, std::vector<uint8_t>{0x84});
  b.node("QuantizeLinear", {"x", "s", "z"}, {"q"});
  b.node("Pad", {"q", "pads", "fill"}, {"p"});
  b.node("DequantizeLinear", {"p", "s", "z"}, {"y"});
  b.output("y", {1, 3});
  Result<Graph> graph = parse_onnx(b.bytes(), "test.onnx");
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  const Tensor x = Tensor::of_floats({1, 2}, std::vector<float>{1, -3});
  const Tensor y = Interpreter(*graph).run(std::span(&x, 1))[0];
  EXPECT_THAT(y.data<float>(), testing::ElementsAre(2, 1, -3));
}

TEST(Onnx, QlinearConvIsDequantizeComputeQuantize) {
  OnnxBuilder b;
  b.input("x", {1, 1, 1, 2}, TensorProto::UINT8);
  b.floats("xs", {}, {0.5f});
  b.constant<uint8_t>("xz", {}, TensorProto::UINT8, {100});
  b.constant<int8_t>("w", {1, 1, 1, 1}, TensorProto::INT8, {3});
  b.floats("ws", {}, {2});
  b.constant<int8_t>("wz", {}, TensorProto::INT8, {0});
  b.floats("ys", {}, {1});
  b.constant<uint8_t>("yz", {}, TensorProto::UINT8, {10});
  b.constant<int32_t>("bias", {1}, TensorProto::INT32, {4});
  b.node("QLinearConv", {"x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "bias"}, {"y"});
  b.output("y", {}, TensorProto::UINT8);
  auto graph = parse(b);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Tensor x = Tensor::of<uint8_t>({1, 1, 1, 2}, DType::kU8, std::vector<uint8_t>{104, 98});
  x.set_quant(graph->type(graph->inputs[0].value).quant);
  Tensor y = Interpreter(*graph).run(std::span(&x, 1))[0];
  // (104-100)*0.5 * 3*2 + 4*0.5*2 = 16 → 26; (98-100)*0.5*6 + 4 = -2 → 8
  ASSERT_EQ(y.dtype(), DType::kU8);
  EXPECT_THAT(std::vector<uint8_t>(y.bytes().begin(), y.bytes().end()), ElementsAre(26, 8));
}

TEST(Onnx, GatherAndTileOnActivations) {
  OnnxBuilder b;
  b.input("x", {2, 2});
  b.constant<int64_t>("one", {}, TensorProto::INT64, {1});
  b.ints("twice", {2});
  OnnxBuilder::set(b.node("Gather", {"x", "one"}, {"column"}), "axis", int64_t{1});
  b.node("Tile", {"column", "twice"}, {"y"});
  b.output("y");
  EXPECT_THAT(run(b, {1, 2, 3, 4}), ElementsAre(2, 4, 2, 4));
}

}  // namespace
}  // namespace nibble
