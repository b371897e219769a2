// The ONNX reader on files that cannot be read, made in code: what is said about them, and that no
// hostile file does harm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/rng.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "support/onnx_builder.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

using onnx::TensorProto;
using testing::HasSubstr;
using testing::Not;

Result<Graph> parse(const OnnxBuilder& b) { return parse_onnx(b.bytes(), "m.onnx"); }

std::string error_of(const OnnxBuilder& b) {
  auto graph = parse(b);
  return graph.ok() ? "" : graph.error().message;
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
