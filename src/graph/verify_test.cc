// verify_structure refuses every kind of broken graph, and says which value or node is to blame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "graph/graph.h"

namespace nibble {
namespace {

using testing::HasSubstr;

// x -> relu -> a -> sigmoid -> y, and a constant that the add reads.
Graph sample() {
  auto graph = parse_graph(R"(graph "g" rounding=tflite
input %x : f32[1,4]
node "relu" %a : f32[1,4] = clamp(%x) act=[0,inf]
const %c : f32[4] = hex:00000000000000000000000000000000
node "add" %b : f32[1,4] = add(%a, %c)
node "end" %y : f32[1,4] = sigmoid(%b)
output %y
)");
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return *graph;
}

QuantParams params(float scale, int32_t zero_point) {
  return {{scale}, {zero_point}, -1, 8, -128, 127};
}

std::string fault(const std::function<void(Graph&)>& damage,
                  VerifyLevel level = VerifyLevel::kImported) {
  Graph graph = sample();
  damage(graph);
  auto status = verify_structure(graph, level);
  return status.ok() ? "no error" : status.error().message;
}

// The values of sample() by name.
ValueId id_of(const Graph& graph, std::string_view name) {
  for (size_t i = 0; i < graph.values.size(); ++i)
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  return kNoValue;
}

Value& value_of(Graph& graph, std::string_view name) { return graph.value(id_of(graph, name)); }

TEST(VerifyStructure, AcceptsAGoodGraph) {
  EXPECT_EQ(fault([](Graph&) {}), "no error");
  EXPECT_EQ(fault([](Graph&) {}, VerifyLevel::kSimplified), "no error");
}

TEST(VerifyStructure, Names) {
  EXPECT_THAT(fault([](Graph& g) { g.values[0].name.clear(); }), HasSubstr("has no name"));
  EXPECT_THAT(fault([](Graph& g) { g.values[1].name = "x"; }),
              HasSubstr("two values have the name 'x'"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes[1].name = "relu"; }),
              HasSubstr("two nodes have the name 'relu'"));
}

TEST(VerifyStructure, IdsAndOrder) {
  EXPECT_THAT(fault([](Graph& g) { g.nodes[0].inputs[0] = 99; }),
              HasSubstr("node 'relu': reads a value that is not there"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes[0].outputs[0] = -1; }),
              HasSubstr("node 'relu': writes a value that is not there"));
  EXPECT_THAT(fault([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }),
              HasSubstr("node 'add': reads 'a', which is neither"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes[1].outputs = g.nodes[0].outputs; }),
              HasSubstr("writes 'a', which is already"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes[1].outputs = {g.inputs[0].value}; }),
              HasSubstr("writes 'x', which is already"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes[1].op = Op{}; }), HasSubstr("has no operator"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes[1].outputs.clear(); }), HasSubstr("has no output"));
  EXPECT_THAT(fault([](Graph& g) { g.inputs.push_back(g.inputs[0]); }),
              HasSubstr("graph input 'x' is listed twice"));
  EXPECT_THAT(fault([](Graph& g) { g.inputs[0].value = 77; }), HasSubstr("refers to no value"));
  EXPECT_THAT(fault([](Graph& g) { g.outputs[0].value = 77; }), HasSubstr("refers to no value"));
  EXPECT_THAT(fault([](Graph& g) { g.outputs.clear(); }), HasSubstr("has no output"));
  EXPECT_THAT(fault([](Graph& g) { g.nodes.pop_back(); }),
              HasSubstr("graph output 'y' is written by no node"));
  EXPECT_THAT(fault([](Graph& g) {
                g.inputs[0].source_perm = {0, 0};
              }),
              HasSubstr("is not a permutation of its 2 axes"));
}

TEST(VerifyStructure, Constants) {
  EXPECT_THAT(fault([](Graph& g) { value_of(g, "c").type.shape = {2}; }),
              HasSubstr("its constant has another type"));
  EXPECT_THAT(fault([](Graph& g) { g.inputs[0].value = id_of(g, "c"); }),
              HasSubstr("graph input 'c' is a constant"));
  EXPECT_THAT(fault([](Graph& g) {
                value_of(g, "a").type.shape = {0, 4};
              }),
              HasSubstr("value 'a': is empty"));
  EXPECT_THAT(fault([](Graph& g) {
                value_of(g, "a").type.shape = {-1, 4};
              }),
              HasSubstr("an extent below zero"));
  EXPECT_THAT(fault([](Graph& g) {
                value_of(g, "a").type.shape = {1 << 20, 1 << 20};
              }),
              HasSubstr("elements"));
}

TEST(VerifyStructure, QuantParams) {
  auto with = [](QuantParams quant, DType dtype = DType::kS8) {
    return fault([=](Graph& g) {
      value_of(g, "a").type.dtype = dtype;
      value_of(g, "a").type.quant = quant;
    });
  };
  EXPECT_EQ(with(params(0.5f, 3)), "no error");
  EXPECT_THAT(with(params(0.5f, 3), DType::kF32), HasSubstr("only integers are quantized"));
  EXPECT_THAT(with(params(0, 0)), HasSubstr("scales are finite and positive"));
  EXPECT_THAT(with(params(-1, 0)), HasSubstr("scales are finite and positive"));
  EXPECT_THAT(with(params(std::nanf(""), 0)), HasSubstr("scales are finite and positive"));
  EXPECT_THAT(with(params(INFINITY, 0)), HasSubstr("scales are finite and positive"));
  EXPECT_THAT(with(params(1, 128)), HasSubstr("zero point 128 outside its range"));
  QuantParams quant = params(1, 0);
  quant.axis = 2;
  EXPECT_THAT(with(quant), HasSubstr("quantized along axis 2"));
  quant.axis = 1;
  EXPECT_THAT(with(quant), HasSubstr("needs 4 scales and zero points, has 1 and 1"));
  quant = params(1, 0);
  quant.q_max = 128;
  EXPECT_THAT(with(quant), HasSubstr("which s8 does not hold"));
  quant = params(1, 0);
  quant.bits = 9;
  EXPECT_THAT(with(quant), HasSubstr("9 bits in elements of 8"));
}

TEST(VerifyStructure, SimplifiedHasNoBatchNormAndNothingDead) {
  auto batch_norm = [](Graph& g) { g.nodes[2].op = BatchNorm{}; };
  EXPECT_EQ(fault(batch_norm), "no error");
  EXPECT_THAT(fault(batch_norm, VerifyLevel::kSimplified), HasSubstr("a batch norm is left"));
  auto dead = [](Graph& g) { g.outputs[0].value = g.nodes[1].outputs[0]; };
  EXPECT_EQ(fault(dead), "no error");
  EXPECT_THAT(fault(dead, VerifyLevel::kSimplified), HasSubstr("node 'end': its result is never"));
}

TEST(VerifyStructure, QuantizedHasRealNumbersOnlyAtTheBorder) {
  auto quantize = [](Graph& g, std::vector<std::string> names) {
    for (const std::string& name : names) {
      value_of(g, name).type.dtype = DType::kS8;
      value_of(g, name).type.quant = params(0.1f, 0);
    }
  };
  auto status = [&](std::vector<std::string> names, bool border) {
    return fault(
        [&](Graph& g) {
          quantize(g, names);
          if (!border) return;
          g.nodes[0].op = Quantize{};
          g.nodes[2].op = Dequantize{};
        },
        VerifyLevel::kQuantized);
  };
  EXPECT_EQ(status({"x", "a", "b", "y"}, false), "no error");
  EXPECT_EQ(status({"a", "b"}, true), "no error");
  EXPECT_THAT(status({"a", "b"}, false), HasSubstr("value 'x' is f32 without quantization"));
  EXPECT_THAT(status({"x", "b", "y"}, false), HasSubstr("value 'a' is f32"));
  // x → relu → a real for the add, which alone stays float: its operand and result may be real.
  auto kept = [&](size_t node) {
    return fault(
        [&](Graph& g) {
          quantize(g, {"x"});
          g.nodes[0].op = Dequantize{};
          g.nodes[2].op = Quantize{};
          quantize(g, {"y"});
          g.nodes[node].keep_float = true;
        },
        VerifyLevel::kQuantized);
  };
  EXPECT_EQ(kept(1), "no error");
  EXPECT_THAT(kept(0), HasSubstr("value 'a' is f32"));
  EXPECT_THAT(kept(2), HasSubstr("value 'a' is f32"));
}

}  // namespace
}  // namespace nibble
