// The text form of graphs: exact round trip of everything a graph can hold, and errors that say
// where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "graph/graph.h"

namespace nibble {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  auto graph = parse_graph(text);
  return graph.ok() ? "no error" : graph.error().message;
}

// One value per element type, every attribute type, absent operands, ports with layouts.
constexpr std::string_view kEverything =
    R"(graph "a \"quoted\" \\ name\n\x00\xff" rounding=single
input %x : f32[1,4,4,3] source_perm=[0,3,1,2]
input %"two words, % and \"" : s8[1,4] {scale=[0.1], zero_point=[-7], bits=8, range=[-128,127]}
const %w : f32[2,1,1,3] = hex:000000000000803f000080bf0000807f000080ff0000c07f
node "conv/1:0" %a/b.c$d-e : f32[1,2,2,2] = conv2d(%x, %w, _) stride_h=2 stride_w=2 act=[-0,inf]
node "fc" %y : f32[1,2] = dense(%a/b.c$d-e, %w, _) act=[1e-45,3.4028235e+38]
const %q : s8[2,3] {scale=[0.1,1.1754944e-38], zero_point=[0,3], axis=0, bits=4, range=[-8,7]} = hex:0001f8070605
const %s : s64[] = hex:ffffffffffffffff
node "two outputs" %p : bool[1], %r : u8[] = pad(%q, %s) before=[0,1] value=-0
node "pool" %z : s16[1,1] = avg_pool2d(%y) k_h=2 count_pad=true keep_float
output %z
output %y source_perm=[1,0]
)";

TEST(GraphText, PrintsWhatItParsed) {
  auto graph = parse_graph(kEverything);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  std::string printed = print_graph(*graph);
  auto again = parse_graph(printed);
  ASSERT_TRUE(again.ok()) << again.error().message << "\n" << printed;
  EXPECT_EQ(print_graph(*again), printed);
  // The numbers of the text above are shortest forms, so the text itself must come back.
  EXPECT_EQ(printed, kEverything);
}

TEST(GraphText, KeepsNamesNumbersAndData) {
  auto graph = parse_graph(kEverything);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_EQ(graph->name, std::string("a \"quoted\" \\ name\n\0\xff", 20));
  EXPECT_EQ(graph->rounding, Rounding::kSingle);
  ASSERT_EQ(graph->inputs.size(), 2u);
  EXPECT_EQ(graph->inputs[0].source_perm, (std::vector<int64_t>{0, 3, 1, 2}));
  EXPECT_EQ(graph->value(graph->inputs[1].value).name, "two words, % and \"");
  EXPECT_FALSE(graph->nodes[0].keep_float);
  EXPECT_TRUE(graph->nodes.back().keep_float);
  const auto& conv = std::get<Conv2d>(graph->nodes[0].op);
  EXPECT_EQ(conv.window.stride_h, 2);
  EXPECT_TRUE(std::signbit(conv.act.min));
  EXPECT_EQ(graph->nodes[0].inputs[2], kNoValue);
  auto weights = graph->value(graph->nodes[0].inputs[1]).constant->data<float>();
  EXPECT_EQ(weights[1], 1.0f);
  EXPECT_EQ(weights[4], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(weights[5]));
  const auto& dense = std::get<Dense>(graph->nodes[1].op);
  EXPECT_EQ(dense.act.min, std::numeric_limits<float>::denorm_min());
  EXPECT_EQ(dense.act.max, std::numeric_limits<float>::max());
  const auto& quant = *graph->type(graph->nodes[2].inputs[0]).quant;
  EXPECT_EQ(quant.axis, 0);
  EXPECT_EQ(quant.bits, 4);
  EXPECT_EQ(quant.scale[1], std::numeric_limits<float>::min());
  EXPECT_EQ(graph->value(graph->nodes[2].inputs[1]).constant->integer_at(0), -1);
}

TEST(GraphText, RandomFloatsComeBackBitForBit) {
  Rng rng(1);
  for (int i = 0; i < 2000; ++i) {
    uint32_t bits = rng.next();
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (std::isnan(value)) continue;
    Graph graph;
    graph.name = "g";
    graph.values.push_back({"x", {{1}, DType::kF32, std::nullopt}, std::nullopt});
    graph.values.push_back({"y", {{1}, DType::kF32, std::nullopt}, std::nullopt});
    graph.inputs = {{0, {}}};
    graph.nodes.push_back({"n", LeakyRelu{value}, {0}, {1}});
    graph.outputs = {{1, {}}};
    auto again = parse_graph(print_graph(graph));
    ASSERT_TRUE(again.ok()) << again.error().message;
    float read = std::get<LeakyRelu>(again->nodes[0].op).alpha;
    ASSERT_EQ(std::memcmp(&read, &value, sizeof value), 0) << value;
  }
}

TEST(GraphText, ConstantsInABlobOrLeftOut) {
  auto graph = parse_graph(kEverything);
  ASSERT_TRUE(graph.ok());
  std::vector<uint8_t> blob;
  std::string text = print_graph(*graph, {PrintOptions::Constants::kBlob}, &blob);
  EXPECT_EQ(blob.size(), 24u + 6u + 8u);
  EXPECT_THAT(text, HasSubstr("= blob:24"));
  auto again = parse_graph(text, blob);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(print_graph(*again), kEverything);

  auto short_blob = parse_graph(text, std::span<const uint8_t>(blob).first(blob.size() - 1));
  ASSERT_FALSE(short_blob.ok());
  EXPECT_THAT(short_blob.error().message, HasSubstr("outside the blob of 37 bytes"));

  std::string elided = print_graph(*graph, {PrintOptions::Constants::kElided});
  EXPECT_THAT(elided, HasSubstr("const %w : f32[2,1,1,3] = ...\n"));
  EXPECT_THAT(error_of(elided), HasSubstr("left out when the text was printed"));
}

TEST(GraphText, CommentsAndEmptyLines) {
  auto graph = parse_graph(
      "\n# a comment\n\ngraph \"g\" rounding=tflite # behind\n\ninput %x : f32[]"
      "\noutput %x");
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  EXPECT_EQ(graph->outputs[0].value, graph->inputs[0].value);
}

struct BadText {
  const char* body;  // follows the header line
  const char* message;
};

TEST(GraphText, ErrorsNameLineColumnAndWhatWasExpected) {
  const BadText cases[] = {
      {"inptu %x : f32[1]", "line 2, column 1: expected a line that starts with"},
      {"input x : f32[1]", "line 2, column 7: expected a new value such as %x, found 'x'"},
      {"input %x : f33[1]", "line 2, column 12: unknown element type 'f33'"},
      {"input %x : f32[-1]", "line 2, column 16: expected an extent from 0 to"},
      {"input %x : f32[99999,99999,99999]", "a shape of more than"},
      {"input %x : f32[1", "expected ']', found the end of the text"},
      {"input %x : f32[1]\ninput %x : f32[1]", "line 3, column 7: the value %x is defined twice"},
      {"const %w : s8[2] = hex:012", "expected 4 hexadecimal digits (2 bytes), found 3"},
      {"const %w : s8[2] = hax:0102", "line 2, column 20: expected hex:... or blob:OFFSET"},
      {"const %w : s8[2] = blob:0", "2 bytes at offset 0 are outside the blob of 0 bytes"},
      {"const %w : s8[2] {scle=[1]} = hex:0102", "unknown quantization field 'scle'"},
      {"node \"n\" %y : f32[1] = clamp(%x)", "line 2, column 30: the value %x is not defined"},
      {"node \"n\" %y : f32[1] = clamp(%y)", "the value %y is not defined"},
      {"node \"n\" %y : f32[1] = conv3d(_)", "unknown operator 'conv3d'; did you mean 'conv2d'?"},
      {"node \"n\" %y : f32[1] = conv2d(_) stride=1", "conv2d has no attribute 'stride'"},
      {"node \"n\" %y : f32[1] = conv2d(_) groups=x", "expected the value of groups, found 'x'"},
      {"node \"n\" %y : f32[1] = conv2d(_) act=[1]", "expected the value of act as [min,max]"},
      {"node \"n\" %y : f32[1] = sigmoid() x=1", "it has none"},
      {"node \"\" %y : f32[1] = sigmoid()", "a node needs a name"},
      {"node \"n %y : f32[1] = sigmoid()", "a string without its closing quote"},
      {"node \"\\q\" %y : f32[1] = sigmoid()", "unknown escape in a string"},
      {"output %z", "the value %z is not defined"},
      {"input %x : f32[1] @", "a character that has no meaning here"},
      {"input % : f32[1]", "a '%' without a name"},
      {"input %\"\" : f32[1]", "a value needs a name"},
      {"input %x : f32[1] output %x", "expected the end of the line, found 'output'"},
  };
  for (const BadText& bad : cases)
    EXPECT_THAT(error_of("graph \"g\" rounding=tflite\n" + std::string(bad.body)),
                HasSubstr(bad.message));
  EXPECT_THAT(error_of(""), HasSubstr("line 1, column 1: expected 'graph', found the end"));
  EXPECT_THAT(error_of("graph \"g\" rounding=up"), HasSubstr("expected a rounding"));
}

// Any text, however broken, gives a graph or an error, never a crash.
TEST(GraphText, DamagedTextIsAnError) {
  Rng rng(2);
  std::string alphabet = "%\"\\[]{}(),:=_ \nabxhe09-.f";
  int parsed = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text(kEverything);
    for (int64_t edits = rng.integer(1, 4); edits > 0; --edits) {
      auto at = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(text.size()) - 1));
      char c =
          alphabet[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(alphabet.size()) - 1))];
      switch (rng.integer(0, 2)) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.erase(at, static_cast<size_t>(rng.integer(1, 20)));
          break;
        default:
          text.insert(at, 1, c);
      }
    }
    auto graph = parse_graph(text);
    if (!graph.ok()) continue;
    ++parsed;
    std::string printed = print_graph(*graph);
    auto again = parse_graph(printed);
    ASSERT_TRUE(again.ok()) << again.error().message << "\n" << printed;
    ASSERT_EQ(print_graph(*again), printed);
  }
  EXPECT_GT(parsed, 0);
}

Program sample_program() {
  Program program;
  program.name = "tiny \"net\"";
  program.buffers = {{"x", 16, 4}, {"y\n", 8, 16}, {"fc.scratch", 0, 4}};
  program.constants = {{"fc_filter", "int8_t", {0, 255, 1, 128}}, {"empty", "int32_t", {}}};
  program.constants[0].in_ram = true;
  QuantParams quant{{0.1f}, {-3}, -1, 8, -128, 127};
  program.inputs = {{"x", {{1, 4}, DType::kS8, quant}, {1, 0}, 0, 0}};
  program.outputs = {{"y", {{1, 2}, DType::kS8, quant}, {}, 1, 4}};
  KernelCall call;
  call.layer = "fc";
  call.op = "dense";
  call.shapes = "1x4 -> 1x2";
  call.kernel = "nibble_dense_s8_ref";
  call.fields = {{"in_c", int64_t{4}}, {"zero", int64_t{-128}}, {"filter", ConstantRef{0}}};
  Operand constant_src;
  constant_src.constant = 1;
  call.operands = {{Operand::Role::kSrc, 0, 0, -1},
                   constant_src,
                   {Operand::Role::kDst, 1, 4, -1},
                   {Operand::Role::kScratch, 2, 0, -1}};
  call.in_place = true;
  call.progress = {{0, 4}, {4, 16}};
  call.progress_unit = 4;
  call.scratch_progress = {{0, 4}};
  call.macs = 8;
  program.calls = {call, KernelCall{}};
  return program;
}

TEST(ProgramText, RoundTrip) {
  Program program = sample_program();
  std::string text = print_program(program);
  auto again = parse_program(text);
  ASSERT_TRUE(again.ok()) << again.error().message << "\n" << text;
  EXPECT_EQ(*again, program);
  EXPECT_EQ(print_program(*again), text);
}

TEST(ProgramText, Errors) {
  auto error = [](const std::string& text) {
    auto program = parse_program(text);
    return program.ok() ? std::string("no error") : program.error().message;
  };
  std::string head = "program \"p\"\n";
  EXPECT_THAT(error("graph"), HasSubstr("line 1, column 1: expected 'program'"));
  EXPECT_THAT(error(head + "buffer \"b\" bytes=-1 align=4"),
              HasSubstr("the value of bytes from 0"));
  EXPECT_THAT(error(head + "input \"x\" : f32[1] buffer=0 offset=0"),
              HasSubstr("the value of buffer from -1 to -1"));
  EXPECT_THAT(error(head + "const \"c\" \"int8_t\" bytes=2 = hex:00"),
              HasSubstr("expected 4 hexadecimal digits"));
  EXPECT_THAT(
      error(head + "call \"l\" \"o\" shapes=\"\" \"k\" in_place=false macs=0 {\"w\"=const:0} ()"),
      HasSubstr("the index of a constant on a line before this one"));
  std::string elided = print_program(sample_program(), {PrintOptions::Constants::kElided});
  EXPECT_THAT(error(elided), HasSubstr("left out when the text was printed"));
}

}  // namespace
}  // namespace nibble
