// What single operators of .tflite files become: attributes, types, constants; on files made in
// code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/formats.h"
#include "ops/ops.h"
#include "support/tflite_models.h"

namespace nibble {
namespace {

namespace file = tflite_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Graph import(TfliteBuilder& builder) {
  auto graph = parse_tflite(builder.finish(), "test.tflite");
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return graph.ok() ? std::move(*graph) : Graph{};
}

std::string import_error(TfliteBuilder& builder) {
  auto graph = parse_tflite(builder.finish(), "test.tflite");
  return graph.ok() ? "no error" : graph.error().message;
}

Graph import_bytes(const std::vector<uint8_t>& bytes) {
  auto graph = parse_tflite(bytes, "test.tflite");
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return graph.ok() ? std::move(*graph) : Graph{};
}

std::vector<float> run_floats(const Graph& graph, const std::vector<float>& x) {
  Interpreter interpreter(graph);
  auto out =
      interpreter.run(std::vector{Tensor::of_floats(graph.type(graph.inputs[0].value).shape, x)});
  auto elems = out[0].data<float>();
  return {elems.begin(), elems.end()};
}

std::vector<float> counting(size_t count) {
  std::vector<float> x(count);
  for (size_t i = 0; i < count; ++i) x[i] = static_cast<float>(i);
  return x;
}

template <class T>
const T& op_at(const Graph& graph, size_t node) {
  return std::get<T>(graph.nodes.at(node).op);
}

// A unary operator on a float image of 1 x h x w x c; the caller adds options.
struct OneOperator {
  TfliteBuilder b;
  int x, y;
  OneOperator(std::vector<int32_t> in, std::vector<int32_t> out) {
    x = b.activation("x", std::move(in));
    y = b.activation("y", std::move(out));
    b.inputs = {x};
    b.outputs = {y};
  }
};

TEST(TfliteImport, FloatDense) {
  Graph graph = import_bytes(tflite_float_dense());
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_EQ(graph.nodes[0].name, "y");
  EXPECT_EQ(graph.rounding, Rounding::kTflite);
  EXPECT_EQ(op_at<Dense>(graph, 0).act, (Bounds{0, std::numeric_limits<float>::infinity()}));
  // 1*10+2*-1+0.5, 3*10+4*-1-20, 5*10+6*-1+1.
  EXPECT_THAT(run_floats(graph, {10, -1}), ElementsAre(8.5f, 6, 45));
  EXPECT_THAT(run_floats(graph, {0, 0}), ElementsAre(0.5f, 0, 1));
}

TEST(TfliteImport, DenseFlattensItsInput) {
  TfliteBuilder b;
  int x = b.activation("x", {1, 2, 2, 1}), w = b.floats("w", {1, 4}, {1, 10, 100, 1000});
  int y = b.activation("y", {1, 1});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w, -1}, {y}, file::CreateFullyConnected(b.fbb()));
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  ASSERT_EQ(graph.nodes.size(), 2u);
  EXPECT_THAT(op_at<Reshape>(graph, 0).shape, ElementsAre(1, 4));
  EXPECT_EQ(graph.nodes[1].inputs[2], kNoValue);
  EXPECT_THAT(run_floats(graph, {1, 2, 3, 4}), ElementsAre(4321));
}

TEST(TfliteImport, DenseKeepsAxesWhereTold) {
  TfliteBuilder b;
  int x = b.activation("x", {1, 3, 2}), w = b.floats("w", {1, 2}, {1, 10});
  int y = b.activation("y", {1, 3, 1});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w}, {y},
        file::CreateFullyConnected(b.fbb(), file::Activation_NONE, file::WeightsFormat_DEFAULT,
                                   true));
  b.inputs = {x};
  b.outputs = {y};
  EXPECT_THAT(run_floats(import(b), {1, 2, 3, 4, 5, 6}), ElementsAre(21, 43, 65));
}

struct SameCase {
  int in, k, stride, dilation, out, before, after;
};
void PrintTo(const SameCase& c, std::ostream* out) {
  *out << c.in << " by " << c.k << ", stride " << c.stride << ", dilation " << c.dilation;
}

class SamePadding : public ::testing::TestWithParam<SameCase> {};

// Expected values by TensorFlow's rule: out = ceil(in / stride), the smaller half of the padding
// first.
TEST_P(SamePadding, IsResolved) {
  const SameCase& c = GetParam();
  TfliteBuilder b;
  int x = b.activation("x", {1, c.in, 1, 1});
  int w = b.floats("w", {1, c.k, 1, 1}, std::vector<float>(static_cast<size_t>(c.k), 1));
  int y = b.activation("y", {1, c.out, 1, 1});
  b.add(file::Builtin_CONV_2D, {x, w}, {y},
        file::CreateConv2D(b.fbb(), file::Padding_SAME, 1, c.stride, file::Activation_NONE, 1,
                           c.dilation));
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  const Window& window = op_at<Conv2d>(graph, 0).window;
  EXPECT_EQ(window.pad_top, c.before);
  EXPECT_EQ(window.pad_bottom, c.after);
  EXPECT_EQ(window.pad_left, 0);
  EXPECT_EQ(graph.type(graph.outputs[0].value).shape[1], c.out);
}

INSTANTIATE_TEST_SUITE_P(
    Tflite, SamePadding,
    ::testing::Values(SameCase{5, 3, 1, 1, 5, 1, 1}, SameCase{5, 2, 1, 1, 5, 0, 1},
                      SameCase{6, 3, 2, 1, 3, 0, 1}, SameCase{5, 3, 2, 1, 3, 1, 1},
                      SameCase{49, 10, 2, 1, 25, 4, 5}, SameCase{4, 1, 3, 1, 2, 0, 0},
                      SameCase{7, 3, 1, 2, 7, 2, 2}, SameCase{8, 4, 3, 2, 3, 2, 3}));

TEST(TfliteImport, QuantizationOfAnIntegerNet) {
  Graph graph = import_bytes(tflite_int8_net());
  ASSERT_EQ(graph.nodes.size(), 6u);
  const Node& conv = graph.nodes[0];
  const TensorType& filter = graph.type(conv.inputs[1]);
  EXPECT_EQ(filter.dtype, DType::kS8);
  EXPECT_EQ(filter.quant->axis, 0);
  EXPECT_EQ(filter.quant->q_min, -127);
  EXPECT_THAT(filter.quant->scale, ElementsAre(0.01f, 0.02f, 0.005f, 0.0125f));
  EXPECT_EQ(graph.type(graph.nodes[1].inputs[1]).quant->axis, 3);
  const TensorType& bias = graph.type(conv.inputs[2]);
  EXPECT_EQ(bias.dtype, DType::kS32);
  EXPECT_EQ(bias.quant->axis, 0);
  EXPECT_FLOAT_EQ(bias.quant->scale[3], 0.1f * 0.0125f);
  const TensorType& out = graph.type(conv.outputs[0]);
  EXPECT_THAT(out.quant->zero_point, ElementsAre(3));
  EXPECT_EQ(out.quant->q_min, -128);
  EXPECT_EQ(out.quant->q_max, 127);
  EXPECT_THAT(op_at<Mean>(graph, 4).axes, ElementsAre(1, 2));
}

TEST(TfliteImport, AveragePoolLeavesPaddingOut) {
  OneOperator one({1, 3, 3, 1}, {1, 2, 2, 1});
  one.b.add(file::Builtin_AVERAGE_POOL_2D, {one.x}, {one.y},
            file::CreatePool2D(one.b.fbb(), file::Padding_SAME, 2, 2, 2, 2));
  Graph graph = import(one.b);
  EXPECT_FALSE(op_at<AvgPool2d>(graph, 0).count_pad);
  EXPECT_THAT(run_floats(graph, counting(9)), ElementsAre(2, 3.5f, 6.5f, 8));
}

TEST(TfliteImport, ShapesAreFoldedAway) {
  Graph graph = import_bytes(tflite_flatten());
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(op_at<Reshape>(graph, 0).shape, ElementsAre(1, 24));
  EXPECT_EQ(graph.values.size(), 2u);
}

TEST(TfliteImport, MoversKeepTheirMeaning) {
  Graph graph = import_bytes(tflite_movers());
  const auto& slice = op_at<Slice>(graph, 1);
  EXPECT_THAT(slice.begin, ElementsAre(0, 0, 4, 0));
  EXPECT_THAT(slice.extent, ElementsAre(1, 4, 4, 2));
  EXPECT_THAT(slice.step, ElementsAre(1, 1, -1, 1));
  EXPECT_EQ(op_at<Pad>(graph, 0).value, -1.5f);
  EXPECT_EQ(op_at<Concat>(graph, 2).axis, 3);
  // The two halves of SPLIT keep the names of their tensors.
  EXPECT_EQ(graph.nodes[4].name, "left");
  EXPECT_EQ(graph.nodes[5].name, "right");
  EXPECT_THAT(op_at<Slice>(graph, 5).begin, ElementsAre(0, 0, 0, 2));
  EXPECT_TRUE(op_at<ResizeNearest>(graph, 7).half_pixel_centers);
}

TEST(TfliteImport, StridedSliceMasks) {
  OneOperator one({1, 4, 6, 3}, {1, 4, 3});
  TfliteBuilder& b = one.b;
  // x[..., 1:6:2, -1] with the ellipsis over the first two axes.
  int begin = b.ints("begin", {0, 1, -1}), end = b.ints("end", {0, 0, 0}),
      step = b.ints("step", {1, 2, 1});
  b.add(file::Builtin_STRIDED_SLICE, {one.x, begin, end, step}, {one.y},
        file::CreateStridedSlice(b.fbb(), 0, 2, 1, 0, 4));
  Graph graph = import(b);
  const auto& slice = op_at<Slice>(graph, 0);
  EXPECT_THAT(slice.begin, ElementsAre(0, 0, 1, 2));
  EXPECT_THAT(slice.extent, ElementsAre(1, 4, 3, 1));
  EXPECT_THAT(slice.step, ElementsAre(1, 1, 2, 1));
  EXPECT_THAT(op_at<Reshape>(graph, 1).shape, ElementsAre(1, 4, 3));
}

TEST(TfliteImport, DynamicRangeWeightsBecomeFloat) {
  TfliteBuilder b;
  int x = b.activation("x", {1, 2});
  int w =
      b.constant<int8_t>("w", {2, 2}, file::ElementType_INT8, {10, -20, 30, 127}, {{0.5f}, {0}});
  int y = b.activation("y", {1, 2});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w}, {y}, file::CreateFullyConnected(b.fbb()));
  b.inputs = {x};
  b.outputs = {y};
  EXPECT_THAT(run_floats(import(b), {2, 1}), ElementsAre(0, 93.5f));
}

TEST(TfliteImport, HalfPrecisionWeights) {
  TfliteBuilder b;
  // 1.5, -2, 65504 (largest), 2^-24 (smallest).
  int half = b.constant<uint16_t>("w16", {2, 2}, file::ElementType_FLOAT16,
                                  {0x3e00, 0xc000, 0x7bff, 0x0001});
  int x = b.activation("x", {1, 2}), w = b.activation("w", {2, 2}), y = b.activation("y", {1, 2});
  b.add(file::Builtin_DEQUANTIZE, {half}, {w});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w}, {y}, file::CreateFullyConnected(b.fbb()));
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  auto elems = graph.value(graph.nodes[0].inputs[1]).constant->data<float>();
  EXPECT_THAT(std::vector<float>(elems.begin(), elems.end()),
              ElementsAre(1.5f, -2, 65504, 0x1p-24f));
}

TEST(TfliteImport, UnsignedBecomesSigned) {
  TfliteBuilder b;
  auto u8 = file::ElementType_UINT8;
  int x = b.activation("x", {1, 2}, u8, {{0.5f}, {128}});
  int w = b.constant<uint8_t>("w", {2, 2}, u8, {128, 129, 1, 255}, {{0.25f}, {128}});
  int c = b.constant<int32_t>("c", {2}, file::ElementType_INT32, {4, -4});
  int y = b.activation("y", {1, 2}, u8, {{0.5f}, {10}});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w, c}, {y}, file::CreateFullyConnected(b.fbb()));
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  const TensorType& in = graph.type(graph.inputs[0].value);
  EXPECT_EQ(in.dtype, DType::kS8);
  EXPECT_TRUE(graph.inputs[0].source_u8);  // so that u8 data are taken as quantized
  EXPECT_THAT(in.quant->zero_point, ElementsAre(0));
  EXPECT_THAT(graph.type(graph.outputs[0].value).quant->zero_point, ElementsAre(-118));
  const Tensor& filter = *graph.value(graph.nodes[0].inputs[1]).constant;
  auto elems = filter.data<int8_t>();
  EXPECT_THAT(std::vector<int>(elems.begin(), elems.end()), ElementsAre(0, 1, -127, 127));
  EXPECT_THAT(filter.type().quant->zero_point, ElementsAre(0));
}

TEST(TfliteImport, AsymmetricUnsignedWeightsAreRefusedByName) {
  TfliteBuilder b;
  auto u8 = file::ElementType_UINT8;
  int x = b.activation("x", {1, 2}, u8, {{0.5f}, {128}});
  int w = b.constant<uint8_t>("w", {1, 2}, u8, {0, 255}, {{0.25f}, {100}});
  int y = b.activation("y", {1, 1}, u8, {{0.5f}, {10}});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w}, {y}, file::CreateFullyConnected(b.fbb()));
  b.inputs = {x};
  b.outputs = {y};
  EXPECT_THAT(import_error(b), HasSubstr("weights 'w' are asymmetric UINT8 (zero point 100)"));
}

TEST(TfliteImport, AsymmetricWeightsThatFitAreCentred) {
  TfliteBuilder b;
  auto u8 = file::ElementType_UINT8;
  int x = b.activation("x", {1, 2}, u8, {{0.5f}, {128}});
  int w = b.constant<uint8_t>("w", {1, 2}, u8, {90, 200}, {{0.25f}, {100}});
  int y = b.activation("y", {1, 1}, u8, {{0.5f}, {10}});
  b.add(file::Builtin_FULLY_CONNECTED, {x, w}, {y}, file::CreateFullyConnected(b.fbb()));
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  auto elems = graph.value(graph.nodes[0].inputs[1]).constant->data<int8_t>();
  EXPECT_THAT(std::vector<int>(elems.begin(), elems.end()), ElementsAre(-10, 100));
}

TEST(TfliteImport, DivisionByAConstant) {
  OneOperator one({1, 2}, {1, 2});
  int c = one.b.floats("c", {2}, {4, -0.5f});
  one.b.add(file::Builtin_DIV, {one.x, c}, {one.y},
            file::CreateDiv(one.b.fbb(), file::Activation_RELU));
  EXPECT_THAT(run_floats(import(one.b), {8, 3}), ElementsAre(2, 0));
}

TEST(TfliteImport, MaximumWithANumberIsAClamp) {
  OneOperator one({1, 3}, {1, 3});
  int c = one.b.floats("c", {}, {0.5f});
  one.b.add(file::Builtin_MAXIMUM, {c, one.x}, {one.y});
  EXPECT_THAT(run_floats(import(one.b), {-8, 0.5f, 3}), ElementsAre(0.5f, 0.5f, 3));
}

TEST(TfliteImport, SharedSlopeIsALeakyRelu) {
  OneOperator one({1, 3}, {1, 3});
  int c = one.b.floats("c", {3}, {0.25f, 0.25f, 0.25f});
  one.b.add(file::Builtin_PRELU, {one.x, c}, {one.y});
  EXPECT_THAT(run_floats(import(one.b), {-8, 0, 3}), ElementsAre(-2, 0, 3));
}

TEST(TfliteImport, PackAndUnpackOfData) {
  TfliteBuilder b;
  int x = b.activation("x", {1, 2, 2});
  int p = b.activation("p", {1, 2}), q = b.activation("q", {1, 2}),
      y = b.activation("y", {1, 2, 2});
  b.add(file::Builtin_UNPACK, {x}, {p, q}, file::CreateUnpack(b.fbb(), 2, -1));
  b.add(file::Builtin_PACK, {q, p}, {y}, file::CreatePack(b.fbb(), 2, 1));
  b.inputs = {x};
  b.outputs = {y};
  // Columns 1,3 and 2,4 become rows, the second first.
  EXPECT_THAT(run_floats(import(b), {1, 2, 3, 4}), ElementsAre(2, 4, 1, 3));
}

TEST(TfliteImport, ConcatenationWithActivation) {
  OneOperator one({1, 2}, {1, 4});
  one.b.add(file::Builtin_CONCATENATION, {one.x, one.x}, {one.y},
            file::CreateConcatenation(one.b.fbb(), 1, file::Activation_RELU6));
  EXPECT_THAT(run_floats(import(one.b), {-1, 9}), ElementsAre(0, 6, 0, 6));
}

TEST(TfliteImport, GroupedConvolutionByExtents) {
  OneOperator one({1, 1, 1, 4}, {1, 1, 1, 2});
  int w = one.b.floats("w", {2, 1, 1, 2}, {1, 2, 3, 4});
  one.b.add(file::Builtin_CONV_2D, {one.x, w}, {one.y},
            file::CreateConv2D(one.b.fbb(), file::Padding_VALID, 1, 1));
  Graph graph = import(one.b);
  EXPECT_EQ(op_at<Conv2d>(graph, 0).groups, 2);
  EXPECT_THAT(run_floats(graph, {1, 10, 100, 1000}), ElementsAre(21, 4300));
}

TEST(TfliteImport, NamesBecomeUnique) {
  TfliteBuilder b;
  int x = b.activation("t", {1, 2}), m = b.activation("t", {1, 2}), y = b.activation("", {1, 2});
  b.add(file::Builtin_RELU, {x}, {m});
  b.add(file::Builtin_TANH, {m}, {y});
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  EXPECT_EQ(graph.nodes[0].name, "t_2");
  EXPECT_EQ(graph.nodes[1].name, "tensor 2");
}

TEST(TfliteImport, FirstOfJoinedNames) {
  OneOperator one({1, 2}, {1, 2});
  one.b.tensors[1].name = "net/relu;net/bias_add;net/conv";
  one.b.add(file::Builtin_RELU, {one.x}, {one.y});
  EXPECT_EQ(import(one.b).nodes[0].name, "net/relu");
}

TEST(TfliteImport, ArithmeticOnShapes) {
  // wanted = [1, (6 / 4 floored) * 2 + 10, -1] of x[1,4,6]: a reshape to 1 x 12 x 2.
  TfliteBuilder b;
  auto s32 = file::ElementType_INT32;
  int x = b.activation("x", {1, 4, 6}), y = b.activation("y", {1, 12, 2});
  int shape = b.activation("shape", {3}, s32), last = b.activation("last", {}, s32);
  int two = b.scalar("two", 2), four = b.scalar("four", 4), ten = b.scalar("ten", 10);
  int quotient = b.activation("quotient", {}, s32), twice = b.activation("twice", {}, s32);
  int sum = b.activation("sum", {}, s32), wide = b.activation("wide", {1}, s32);
  int wanted = b.activation("wanted", {3}, s32);
  int one = b.ints("one", {1}), rest = b.ints("rest", {-1}), zero = b.scalar("zero", 0);
  b.add(file::Builtin_SHAPE, {x}, {shape}, file::CreateShapeOf(b.fbb(), s32));
  b.add(file::Builtin_GATHER, {shape, two}, {last}, file::CreateGather(b.fbb()));
  b.add(file::Builtin_FLOOR_DIV, {last, four}, {quotient});
  b.add(file::Builtin_MUL, {quotient, two}, {twice}, file::CreateMul(b.fbb()));
  b.add(file::Builtin_ADD, {twice, ten}, {sum}, file::CreateAdd(b.fbb()));
  b.add(file::Builtin_EXPAND_DIMS, {sum, zero}, {wide});
  b.add(file::Builtin_CONCATENATION, {one, wide, rest}, {wanted},
        file::CreateConcatenation(b.fbb(), 0));
  b.add(file::Builtin_RESHAPE, {x, wanted}, {y});
  b.inputs = {x};
  b.outputs = {y};
  Graph graph = import(b);
  ASSERT_EQ(graph.nodes.size(), 1u);
  EXPECT_THAT(op_at<Reshape>(graph, 0).shape, ElementsAre(1, 12, 2));
  EXPECT_EQ(run_floats(graph, counting(24)), counting(24));
}

}  // namespace
}  // namespace nibble
