// The ONNX reader on tiny models made in code: what becomes of the operators (values computed by
// hand), and what is said about files that cannot be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/file.h"
#include "base/rng.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "support/onnx_builder.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

using onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Result<Graph> parse(const OnnxBuilder& b) { return parse_onnx(b.bytes(), "m.onnx"); }

std::string error_of(const OnnxBuilder& b) {
  auto graph = parse(b);
  return graph.ok() ? "" : graph.error().message;
}

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

// --- Operators

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

// --- Side files

void set_external(TensorProto& tensor, const std::string& location, const std::string& offset,
                  const std::string& length) {
  tensor.clear_raw_data();
  tensor.set_data_location(TensorProto::EXTERNAL);
  for (auto [key, value] : {std::pair<std::string, std::string>{"location", location},
                            {"offset", offset},
                            {"length", length}}) {
    if (value.empty()) continue;
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

TEST(Onnx, SideFilesAreReadWithinTheirFolderOnly) {
  auto temp = TempDir::create();
  ASSERT_TRUE(temp.ok());
  std::filesystem::create_directories(temp->path() / "model");
  std::vector<float> elems = {7, 8, 9};
  ASSERT_TRUE(write_file(temp->path() / "model" / "weights.bin",
                         {reinterpret_cast<const uint8_t*>(elems.data()), 12})
                  .ok());
  ASSERT_TRUE(write_text_file(temp->path() / "secret", "12345678").ok());
  std::filesystem::create_symlink(temp->path() / "secret", temp->path() / "model" / "link");
  auto read = [&](const std::string& location, const std::string& offset,
                  const std::string& length) {
    OnnxBuilder b;
    b.input("x", {2});
    set_external(b.floats("w", {2}, {}), location, offset, length);
    b.node("Add", {"x", "w"}, {"y"});
    b.output("y");
    return parse_onnx(b.bytes(), "m.onnx", temp->path() / "model");
  };
  auto good = read("weights.bin", "4", "8");
  ASSERT_TRUE(good.ok()) << good.error().message;
  for (const Value& value : good->values)
    if (value.constant) {
      EXPECT_EQ(value.constant->data<float>()[0], 8);
    }
  EXPECT_THAT(read("../secret", "", "8").error().message, HasSubstr("not in the model's folder"));
  EXPECT_THAT(read((temp->path() / "secret").string(), "", "8").error().message,
              HasSubstr("not in the model's folder"));
  EXPECT_THAT(read("link", "", "8").error().message, HasSubstr("not in the model's folder"));
  EXPECT_THAT(read("weights.bin", "8", "8").error().message, HasSubstr("which has 12"));
  EXPECT_THAT(read("weights.bin", "-4", "8").error().message, HasSubstr("offset '-4'"));
  EXPECT_THAT(read("weights.bin", "0", "4").error().message, HasSubstr("less data"));
  EXPECT_THAT(read("absent.bin", "", "").error().message, HasSubstr("absent.bin"));
}

// --- Errors

TEST(OnnxErrors, UnsupportedOperatorsAreNamedAllAtOnce) {
  OnnxBuilder b;
  b.input("x", {1, 4});
  b.node("LSTM", {"x"}, {"a"}, "memory");
  b.node("If", {"a"}, {"c"}, "branch");
  b.node("Gizmo", {"x"}, {"d"}, "gadget").set_domain("com.acme");
  b.node("Relu", {"c"}, {"y"});
  b.output("y");
  std::string error = error_of(b);
  EXPECT_THAT(error, HasSubstr("m.onnx: 3 of 4 operators are not supported"));
  EXPECT_THAT(error, HasSubstr("operator 'memory': LSTM (recurrent"));
  EXPECT_THAT(error, HasSubstr("operator 'branch': If (control flow"));
  EXPECT_THAT(error, HasSubstr("operator 'gadget': com.acme.Gizmo (not known)"));
  EXPECT_THAT(error, HasSubstr("Supported are: Add"));
}

TEST(OnnxErrors, UnsupportedOperatorsComeBeforeOtherFaults) {
  OnnxBuilder b;
  b.input("x", {1, -1});
  b.node("LSTM", {"x"}, {"y"}, "memory");
  b.output("y");
  EXPECT_THAT(error_of(b), HasSubstr("'memory': LSTM"));
}

TEST(OnnxErrors, DynamicExtentsAreNamed) {
  OnnxBuilder b;
  b.input("x", {1, 3, -1});
  b.graph()
      .mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(2)
      ->set_dim_param("frames");
  b.node("Relu", {"x"}, {"y"});
  b.output("y");
  EXPECT_THAT(error_of(b),
              testing::AllOf(HasSubstr("extent 2 of input 'x' is not fixed ('frames')"),
                             HasSubstr("Export")));
}

TEST(OnnxErrors, FaultsOfTheGraph) {
  auto with = [](auto&& change) {
    OnnxBuilder b;
    b.input("x", {1, 2});
    b.node("Relu", {"x"}, {"y"}, "relu");
    b.output("y");
    change(b);
    return error_of(b);
  };
  EXPECT_THAT(with([](OnnxBuilder& b) { b.graph().mutable_node(0)->set_input(0, "y"); }),
              HasSubstr("'relu' (Relu) depends on its own output"));
  EXPECT_THAT(with([](OnnxBuilder& b) { b.graph().mutable_node(0)->set_input(0, "z"); }),
              HasSubstr("reads 'z', which nothing writes"));
  EXPECT_THAT(with([](OnnxBuilder& b) { b.node("Relu", {"x"}, {"y"}, "again"); }),
              HasSubstr("node 'again' writes 'y', which exists already"));
  EXPECT_THAT(with([](OnnxBuilder& b) { b.graph().mutable_output(0)->set_name("z"); }),
              HasSubstr("nothing writes the output 'z'"));
  EXPECT_THAT(with([](OnnxBuilder& b) { b.graph().clear_output(); }), HasSubstr("no outputs"));
  EXPECT_THAT(with([](OnnxBuilder& b) { b.model.mutable_opset_import(0)->set_version(8); }),
              HasSubstr("opset 8 is too old"));
  EXPECT_THAT(with([](OnnxBuilder& b) {
                OnnxBuilder::set(*b.graph().mutable_node(0), "gizmo", int64_t{1});
              }),
              HasSubstr("attribute 'gizmo' is not supported"));
  EXPECT_THAT(with([](OnnxBuilder& b) {
                b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
                    TensorProto::STRING);
              }),
              HasSubstr("input 'x': element type STRING is not supported"));
  EXPECT_THAT(with([](OnnxBuilder& b) {
                b.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
                    TensorProto::INT32);
              }),
              HasSubstr("computes on s32 elements"));
  EXPECT_THAT(with([](OnnxBuilder& b) {
                OnnxBuilder::set_value(*b.graph().mutable_input(0), "x", {1, int64_t{1} << 40});
              }),
              Not(testing::IsEmpty()));
}

TEST(OnnxErrors, FaultsOfConstants) {
  auto with = [](auto&& change) {
    OnnxBuilder b;
    b.input("x", {1, 2});
    change(b.floats("w", {2}, {1, 2}));
    b.node("Add", {"x", "w"}, {"y"});
    b.output("y");
    return error_of(b);
  };
  EXPECT_THAT(with([](TensorProto& w) { w.set_dims(0, int64_t{1} << 60); }),
              HasSubstr("constant 'w'"));
  EXPECT_THAT(with([](TensorProto& w) { w.set_dims(0, -1); }), HasSubstr("extent -1"));
  EXPECT_THAT(with([](TensorProto& w) { w.set_dims(0, 1 << 30); }),
              HasSubstr("less data than its shape"));
  EXPECT_THAT(with([](TensorProto& w) { w.set_data_type(TensorProto::COMPLEX64); }),
              HasSubstr("COMPLEX64"));
  EXPECT_THAT(with([](TensorProto& w) { w.set_data_type(99); }), HasSubstr("type 99"));
}

TEST(OnnxErrors, ConstantsComputedAtImportAreLimited) {
  OnnxBuilder b;
  b.input("x", {1});
  b.ints("huge", {1 << 20, 1 << 10});
  b.node("ConstantOfShape", {"huge"}, {"w"}, "filler");
  b.node("Add", {"x", "w"}, {"y"});
  b.output("y");
  EXPECT_THAT(error_of(b), HasSubstr("the constants that the model computes take more than"));
}

TEST(OnnxErrors, GarbageIsNoModel) {
  EXPECT_THAT(parse_onnx({}, "e.onnx").error().message, HasSubstr("e.onnx"));
  std::vector<uint8_t> noise = {0xff, 0xff, 0xff, 0x13, 0x37};
  EXPECT_THAT(parse_onnx(noise, "e.onnx").error().message, HasSubstr("is not an ONNX model"));
}

// --- Hostile files

OnnxBuilder rich_model() {
  OnnxBuilder b;
  b.input("x", {1, 2, 4, 4});
  b.floats("w", {2, 2, 3, 3}, std::vector<float>(36, 0.5f));
  b.floats("s", {}, {0.5f});
  b.constant<int8_t>("z", {}, TensorProto::INT8, {3});
  b.ints("shape", {1, -1});
  b.floats("m", {32, 3}, std::vector<float>(96, 0.25f));
  OnnxBuilder::set(b.node("Conv", {"x", "w"}, {"c"}), "pads", std::vector<int64_t>{1, 1, 1, 1});
  b.node("QuantizeLinear", {"c", "s", "z"}, {"q"});
  b.node("DequantizeLinear", {"q", "s", "z"}, {"d"});
  auto& pool = b.node("MaxPool", {"d"}, {"p"});
  OnnxBuilder::set(pool, "kernel_shape", std::vector<int64_t>{3, 3});
  OnnxBuilder::set(pool, "pads", std::vector<int64_t>{1, 1, 1, 1});
  b.node("Reshape", {"p", "shape"}, {"r"});
  b.node("MatMul", {"r", "m"}, {"t"});
  b.node("Softmax", {"t"}, {"y"});
  b.output("y");
  return b;
}

TEST(OnnxHostile, TruncatedAnywhere) {
  auto bytes = rich_model().bytes();
  ASSERT_TRUE(parse_onnx(bytes, "m.onnx").ok()) << parse_onnx(bytes, "m.onnx").error().message;
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(parse_onnx(std::span(bytes).first(length), "m.onnx").ok() &&
                 length + 12 < bytes.size());
}

// Whatever the bytes say: an error or a graph that verifies.
TEST(OnnxHostile, TwentyThousandFlips) {
  auto original = rich_model().bytes();
  Rng rng(7);
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    auto bytes = original;
    for (int64_t flips = rng.integer(1, 4); flips > 0; --flips)
      bytes[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bytes.size()) - 1))] ^=
          static_cast<uint8_t>(1 << rng.integer(0, 7));
    auto graph = parse_onnx(bytes, "m.onnx");
    if (!graph.ok()) continue;
    ++read;
    auto status = verify_graph(*graph, VerifyLevel::kImported);
    EXPECT_TRUE(status.ok()) << status.error().message;
  }
  EXPECT_GT(read, 0);
}

TEST(OnnxReal, TheRecurrentModelNamesItsOperators) {
  NIBBLE_NEED_SHARED("data/models/onnx_zoo/byte_sb_bidi_lstm_fp32.onnx");
  auto graph = read_onnx(shared_path("data/models/onnx_zoo/byte_sb_bidi_lstm_fp32.onnx"));
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(graph.error().message, HasSubstr("LSTM (recurrent"));
}

}  // namespace
}  // namespace nibble
