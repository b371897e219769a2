// What the TFLite reader says about files that it cannot read: unsupported operators, lies in the
// structure, and what a user may have exported differently.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/formats.h"
#include "support/tflite_models.h"

namespace nibble {
namespace {

namespace file = tflite_file;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A dense layer that each test spoils in one place.
struct Spoiled {
  TfliteBuilder b;
  int x, w, c, y;
  Spoiled() {
    x = b.activation("x", {1, 2});
    w = b.floats("w", {3, 2}, {1, 2, 3, 4, 5, 6});
    c = b.floats("c", {3}, {0, 1, 2});
    y = b.activation("y", {1, 3});
    b.add(file::Builtin_FULLY_CONNECTED, {x, w, c}, {y}, file::CreateFullyConnected(b.fbb()));
    b.inputs = {x};
    b.outputs = {y};
  }
  TfliteBuilder::Tensor& tensor(int index) { return b.tensors[static_cast<size_t>(index)]; }
  std::string error() {
    auto graph = parse_tflite(b.finish(), "m.tflite");
    return graph.ok() ? "no error" : graph.error().message;
  }
};

TEST(TfliteError, UnsupportedOperatorsAllAtOnce) {
  Spoiled s;
  int state = s.b.activation("state", {1, 3}), detected = s.b.activation("detected", {1, 3});
  int sine = s.b.activation("sine", {1, 3});
  s.b.add(file::Builtin_UNIDIRECTIONAL_SEQUENCE_LSTM, {s.y}, {state});
  s.b.add(file::Builtin_CUSTOM, {state}, {detected});
  s.b.operators.back().custom = "TFLite_Detection_PostProcess";
  s.b.add(file::Builtin_SIN, {detected}, {sine});
  // A fault of the structure, which must not hide them.
  s.tensor(s.x).shape = {8, 2};
  EXPECT_THAT(
      s.error(),
      AllOf(HasSubstr("m.tflite: 3 of 4 operators are not supported"),
            HasSubstr("operator 1: UNIDIRECTIONAL_SEQUENCE_LSTM (recurrent: not supported yet), "
                      "writes 'state'"),
            HasSubstr("operator 2: custom operator 'TFLite_Detection_PostProcess', writes "
                      "'detected'"),
            HasSubstr("operator 3: SIN, writes 'sine'"), HasSubstr("CONV_2D"),
            Not(HasSubstr("batches"))));
}

// Known operators that are used in a way that is not supported, behind one another and behind an
// unknown one: each is named with its own reason, and those that are fine are not.
TEST(TfliteError, UnsupportedUsesAllAtOnce) {
  Spoiled s;
  s.b.operators[0].options = file::CreateFullyConnected(s.b.fbb(), file::Activation_TANH).Union();
  int sine = s.b.activation("sine", {1, 3}), good = s.b.activation("good", {1, 3});
  int hot = s.b.activation("hot", {1, 3}), last = s.b.activation("last", {1, 4});
  s.b.add(file::Builtin_SIN, {s.y}, {sine});
  s.b.add(file::Builtin_RELU, {sine}, {good});
  s.b.add(file::Builtin_SOFTMAX, {good}, {hot}, file::CreateSoftmax(s.b.fbb(), -1));
  s.b.add(file::Builtin_RELU, {hot}, {last});
  s.b.outputs = {last};
  ImportProblems problems;
  auto graph = parse_tflite(s.b.finish(), "m.tflite", &problems);
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(graph.error().message,
              AllOf(HasSubstr("m.tflite: 4 of 5 operators are not supported:\n"),
                    HasSubstr("operator 0 (FULLY_CONNECTED 'y'): the fused activation TANH"),
                    HasSubstr("operator 1: SIN, writes 'sine'"),
                    HasSubstr("operator 3 (SOFTMAX 'hot'): its beta is -1"),
                    HasSubstr("operator 4 (RELU 'last'): its output 'last' is 1x4 in the file"),
                    Not(HasSubstr("good"))));
  EXPECT_EQ(problems.node_count, 5);
  ASSERT_EQ(problems.unsupported.size(), 4u);
  EXPECT_EQ(problems.unsupported[2].index, 3);
  EXPECT_THAT(problems.unsupported[2].why, HasSubstr("beta"));
}

// What reads a result that the file says too little of is passed over, not blamed.
TEST(TfliteError, WhatDependsOnAnUnknownShapeIsPassedOver) {
  Spoiled s;
  int where = s.b.activation("where", {2}, file::ElementType_INT32);
  int z = s.b.activation("z", {3, 1});
  s.b.add(file::Builtin_WHERE, {s.y}, {where});
  s.b.add(file::Builtin_RESHAPE, {s.y, where}, {z});
  s.b.outputs = {z};
  EXPECT_THAT(s.error(), AllOf(HasSubstr("1 of 3 operators is not supported"), HasSubstr("WHERE"),
                               Not(HasSubstr("known in advance"))));
}

TEST(TfliteError, CodesThatDoNotExistYet) {
  Spoiled s;
  s.b.operators[0].code = static_cast<file::Builtin>(250);
  EXPECT_THAT(s.error(), HasSubstr("operator 0: builtin operator 250, writes 'y'"));
}

TEST(TfliteError, GatherOfDataIsUnsupported) {
  Spoiled s;
  int z = s.b.activation("z", {1, 1}), index = s.b.ints("index", {0});
  s.b.add(file::Builtin_GATHER, {s.y, index}, {z}, file::CreateGather(s.b.fbb(), 1));
  EXPECT_THAT(s.error(), HasSubstr("GATHER (supported only on shapes that are known in advance)"));
}

TEST(TfliteError, BookkeepingWithoutOperands) {
  Spoiled s;
  int z = s.b.activation("z", {1}, file::ElementType_INT32);
  s.b.add(file::Builtin_REDUCE_PROD, {}, {z});
  EXPECT_THAT(s.error(), HasSubstr("operator 1: REDUCE_PROD (supported only on shapes"));
}

TEST(TfliteError, AbsentOperands) {
  for (file::Builtin code : {file::Builtin_SHAPE, file::Builtin_DEQUANTIZE, file::Builtin_CAST,
                             file::Builtin_RELU, file::Builtin_QUANTIZE}) {
    Spoiled s;
    int z = s.b.activation("z", {1, 3});
    s.b.add(code, {-1}, {z});
    EXPECT_THAT(s.error(), HasSubstr("operand 0 is missing")) << file::EnumNameBuiltin(code);
  }
}

TEST(TfliteError, NotATfliteFile) {
  std::vector<uint8_t> bytes(100, 7);
  auto graph = parse_tflite(bytes, "m.tflite");
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.error().message,
            "m.tflite: not a TensorFlow Lite model (no TFL3 mark at byte 4)");
}

TEST(TfliteError, OldVersion) {
  Spoiled s;
  s.b.version = 1;
  EXPECT_THAT(s.error(), HasSubstr("schema version 1"));
}

TEST(TfliteError, SeveralSubgraphs) {
  Spoiled s;
  s.b.subgraphs = 2;
  EXPECT_THAT(s.error(), HasSubstr("has 2 subgraphs"));
}

TEST(TfliteError, DataOfAnotherSize) {
  Spoiled s;
  s.tensor(s.w).shape = {3, 3};
  EXPECT_THAT(s.error(),
              HasSubstr("tensor 'w', 3x3 of FLOAT32, needs 36 bytes of data and has 24"));
}

TEST(TfliteError, AbsurdExtents) {
  Spoiled s;
  s.tensor(s.y).shape = {1 << 30, 1 << 30, 1 << 30};
  EXPECT_THAT(s.error(), HasSubstr("tensor 'y' has more than"));
  Spoiled negative;
  negative.tensor(negative.y).shape = {1, -3};
  EXPECT_THAT(negative.error(), HasSubstr("tensor 'y' has extent -3 on axis 1"));
  Spoiled axes;
  axes.tensor(axes.y).shape = std::vector<int32_t>(9, 1);
  EXPECT_THAT(axes.error(), HasSubstr("9 axes"));
}

TEST(TfliteError, BufferThatDoesNotExist) {
  Spoiled s;
  s.tensor(s.w).buffer = 99;
  EXPECT_THAT(s.error(), HasSubstr("tensor 'w' refers to buffer 99 of"));
}

TEST(TfliteError, AbsentBuffer) {
  Spoiled s;
  s.tensor(s.w).buffer = 0;
  EXPECT_THAT(s.error(), AllOf(HasSubstr("reads tensor 'w'"), HasSubstr("no data")));
}

TEST(TfliteError, IndicesOutside) {
  Spoiled operand;
  operand.b.operators[0].inputs[1] = 77;
  EXPECT_THAT(operand.error(),
              HasSubstr("operator 0 (FULLY_CONNECTED) has tensor 77 of 4 as input 1"));
  Spoiled result;
  result.b.operators[0].outputs[0] = -1;
  EXPECT_THAT(result.error(), HasSubstr("has tensor -1 of 4 as output 0"));
  Spoiled code;
  code.b.operators[0].opcode_index = 5;
  EXPECT_THAT(code.error(), HasSubstr("operator 0 refers to operator code 5 of 1"));
  Spoiled port;
  port.b.outputs = {44};
  EXPECT_THAT(port.error(), HasSubstr("the graph's output 0 is tensor 44 of 4"));
}

TEST(TfliteError, Cycle) {
  Spoiled s;
  int z = s.b.activation("z", {1, 2});
  s.b.operators[0].inputs[0] = z;
  s.b.add(file::Builtin_RELU, {s.y}, {z});
  EXPECT_THAT(s.error(),
              HasSubstr("reads tensor 'z', which has no data in the file and which no earlier"));
}

TEST(TfliteError, TwoWriters) {
  Spoiled s;
  s.b.add(file::Builtin_RELU, {s.x}, {s.y});
  EXPECT_THAT(s.error(), HasSubstr("writes tensor 'y', which already has a value"));
}

TEST(TfliteError, BadScales) {
  auto with = [](TfliteBuilder::Quant quant) {
    Spoiled s;
    s.tensor(s.w).type = file::ElementType_INT8;
    s.tensor(s.w).data.resize(6);
    s.tensor(s.w).quant = std::move(quant);
    return s.error();
  };
  EXPECT_THAT(with({{0}, {0}}), HasSubstr("tensor 'w' has the scale 0"));
  EXPECT_THAT(with({{NAN}, {0}}), HasSubstr("has the scale nan"));
  EXPECT_THAT(with({{1, 1, 1}, {0, 0}}), HasSubstr("3 scales and 2 zero points"));
  EXPECT_THAT(with({{1, 1}, {0, 0}}), HasSubstr("2 scales for 3 channels"));
  EXPECT_THAT(with({{1, 1, 1}, {0, 0, 0}, 1}), HasSubstr("quantized along axis 1"));
  EXPECT_THAT(with({{1}, {300}}), HasSubstr("zero point 300"));
  EXPECT_THAT(with({}), HasSubstr("no scale"));
  EXPECT_EQ(with({{1, 1, 1}, {0, 0, 0}, 0}), "no error");
}

TEST(TfliteError, SparseWeights) {
  Spoiled s;
  s.tensor(s.w).sparse = true;
  EXPECT_THAT(s.error(), HasSubstr("tensor 'w' is stored sparsely"));
}

TEST(TfliteError, StateBetweenInferences) {
  Spoiled s;
  int state = s.b.activation("state", {1, 3}), z = s.b.activation("z", {1, 3});
  s.tensor(state).variable = true;
  s.b.add(file::Builtin_ADD, {s.y, state}, {z}, file::CreateAdd(s.b.fbb()));
  EXPECT_THAT(s.error(), HasSubstr("tensor 'state' is a variable"));
}

TEST(TfliteError, DynamicShapes) {
  Spoiled s;
  s.tensor(s.x).signature = {-1, -1};
  EXPECT_THAT(s.error(), HasSubstr("input 'x' has a dynamic extent on axis 1"));
  Spoiled batch;
  batch.tensor(batch.x).shape = {8, 2};
  EXPECT_THAT(batch.error(), HasSubstr("input 'x' is 8x2: batches of 8"));
  Spoiled dynamic_batch;
  dynamic_batch.tensor(dynamic_batch.x).shape = {8, 2};
  dynamic_batch.tensor(dynamic_batch.x).signature = {-1, 2};
  EXPECT_EQ(dynamic_batch.error(), "no error");
}

TEST(TfliteError, TypesThatAreNotRead) {
  Spoiled s;
  s.tensor(s.x).type = file::ElementType_STRING;
  EXPECT_THAT(s.error(), HasSubstr("tensor 'x' is STRING"));
  Spoiled half;
  half.tensor(half.x).type = file::ElementType_FLOAT16;
  EXPECT_THAT(half.error(), HasSubstr("float16 is supported for constants"));
}

TEST(TfliteError, ShapeThatTheOperandsDoNotGive) {
  Spoiled s;
  s.tensor(s.y).shape = {1, 4};
  EXPECT_THAT(s.error(), HasSubstr("output 'y' is 1x4 in the file, but its operands give 1x3"));
}

TEST(TfliteError, OptionsOfAnotherOperator) {
  Spoiled s;
  s.b.operators[0].options_type = file::Options_Softmax;
  EXPECT_THAT(s.error(), HasSubstr("operator 0 (FULLY_CONNECTED 'y'): its options are missing"));
}

TEST(TfliteError, FusedTanh) {
  Spoiled s;
  s.b.operators[0].options = file::CreateFullyConnected(s.b.fbb(), file::Activation_TANH).Union();
  EXPECT_THAT(s.error(), HasSubstr("the fused activation TANH is not supported"));
}

TEST(TfliteError, NotANumberInWeights) {
  Spoiled s;
  float nan = NAN;
  std::memcpy(s.tensor(s.w).data.data() + 8, &nan, sizeof nan);
  EXPECT_THAT(s.error(), HasSubstr("constant 'w' contains nan"));
}

TEST(TfliteError, NegativePadding) {
  Spoiled s;
  int pads = s.b.constant<int32_t>("pads", {2, 2}, file::ElementType_INT32, {0, 0, -1, 0});
  int z = s.b.activation("z", {1, 2});
  s.b.add(file::Builtin_PAD, {s.y, pads}, {z});
  EXPECT_THAT(s.error(), HasSubstr("pads by -1"));
}

TEST(TfliteError, ConstantOutput) {
  Spoiled s;
  s.b.outputs = {s.y, s.w};
  EXPECT_THAT(s.error(), HasSubstr("'w'"));
}

}  // namespace
}  // namespace nibble
