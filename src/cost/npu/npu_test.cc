// Fields, legality and cost of layers on small accelerators written for each case; expected values
// are worked out by hand from doc/npus.md.
#include "cost/npu/npu.h"

#include <gmock/gmock.h>

#include <cmath>

#include "cost/npu/rules.h"
#include "support/small_npu.h"

namespace nibble {
namespace {

using namespace small_npu;
using F = NpuField;

NpuLayer last_layer(const Graph& graph) { return npu_layer(graph, graph.nodes.back()); }

void expect_fields(const NpuLayer& layer, const std::vector<std::pair<F, double>>& expected) {
  for (const auto& [field, value] : expected)
    EXPECT_EQ(layer.number(field), value) << npu_field_name(field);
}

TEST(NpuLayer, NamesTheOperatorsOfTheGraph) {
  std::vector<std::string_view> names;
#define NIBBLE_OP_NAME(Type, name) names.push_back(name);
  NIBBLE_OPERATORS(NIBBLE_OP_NAME)
#undef NIBBLE_OP_NAME
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(npu_operators()));
}

TEST(NpuLayer, FieldsOfAConvolution) {
  Graph graph;
  Window window{.stride_h = 2,
                .stride_w = 1,
                .dilation_h = 2,
                .dilation_w = 1,
                .pad_top = 1,
                .pad_left = 1,
                .pad_bottom = 0,
                .pad_right = 1};
  const ValueId x = input(graph, {1, 9, 6, 8}, grid(0.5f, 3));
  QuantParams each = grid(0.25f, 0, 4);
  each.scale = std::vector<float>(6, 0.25f);
  each.zero_point = std::vector<int32_t>(6, 0);
  each.axis = 0;
  const ValueId w = weights(graph, {6, 3, 3, 4}, each);
  // 9 + 1 rows under a kernel of 5: (10 - 5) / 2 + 1 = 3; 6 + 2 columns under 3: 6.
  append(graph, Conv2d{window, 2, {0, 6}}, {x, w, bias(graph, 6)}, grid(0.5f, 0));
  const NpuLayer layer = last_layer(graph);
  EXPECT_EQ(layer.op, "conv2d");
  expect_fields(layer, {{F::kBatch, 1},
                        {F::kInH, 9},
                        {F::kInC, 8},
                        {F::kOutH, 3},
                        {F::kOutW, 6},
                        {F::kOutC, 6},
                        {F::kInRow, 48},
                        {F::kOutPlane, 18},
                        {F::kRank, 4},
                        {F::kMaxDim, 9},
                        {F::kInElems, 432},
                        {F::kOutBytes, 108},
                        {F::kOtherElems, 0},
                        {F::kInputs, 1},
                        {F::kConstInputs, 0},
                        {F::kKernelArea, 9},
                        {F::kDilatedH, 5},
                        {F::kDilatedW, 3},
                        {F::kDilatedArea, 15},
                        {F::kPadMax, 1},
                        {F::kGroups, 2},
                        {F::kDepth, 36},
                        {F::kFilterRow, 12},
                        {F::kWeights, 216},
                        {F::kWeightBits, 4},
                        {F::kWeightBytes, 108},
                        {F::kBiasElems, 6},
                        {F::kBiasBytes, 24},
                        {F::kBiasBits, 32},
                        {F::kMacs, 108 * 36},
                        {F::kPadSymmetric, 0},
                        {F::kPerChannel, 1},
                        {F::kHasBias, 1},
                        {F::kWeightSymmetric, 1},
                        {F::kInSymmetric, 0},
                        {F::kOutSymmetric, 1},
                        {F::kPowerOfTwoWeights, 1},
                        {F::kPowerOfTwoData, 1},
                        {F::kSameQuant, 0},
                        {F::kFixedWeights, 1}});
  // Rows -1, 1, 3; 1, 3, 5; 3, 5, 7: 8 of 9 taps inside. Columns: 16 of 18.
  EXPECT_EQ(layer.number(F::kInsideMacs), std::round(3888.0 * 8 / 9 * 16 / 18));
  EXPECT_EQ(layer.word(F::kAct), "relu6");
  EXPECT_EQ(layer.word(F::kInType), "s8");
}

TEST(NpuLayer, FieldsOfADepthwiseConvolutionAndDense) {
  Graph graph;
  const ValueId x = input(graph, {1, 4, 4, 2}, grid(0.5f, 0));
  const ValueId d = append(graph, DepthwiseConv2d{},
                           {x, weights(graph, {1, 2, 2, 6}, grid(0.3f, 1))}, grid(0.5f, 0));
  NpuLayer layer = last_layer(graph);
  expect_fields(layer, {{F::kChannelMultiplier, 3},
                        {F::kDepth, 4},
                        {F::kFilterRow, 2},
                        {F::kMacs, 9 * 6 * 4},
                        {F::kWeightSymmetric, 0},
                        {F::kHasBias, 0},
                        {F::kPowerOfTwoWeights, 0},
                        {F::kPerChannel, 0},
                        {F::kBiasBits, 0}});
  // Rows are what stands before the last extent: 1 * 3 * 3.
  append(graph, Dense{}, {d, weights(graph, {5, 6}, grid(0.5f, 0))}, grid(0.5f, 0));
  layer = last_layer(graph);
  expect_fields(layer, {{F::kBatch, 9},
                        {F::kInH, 1},
                        {F::kInW, 1},
                        {F::kInC, 6},
                        {F::kOutC, 5},
                        {F::kDepth, 6},
                        {F::kMacs, 9 * 5 * 6},
                        {F::kInPlane, 1}});
}

TEST(NpuLayer, ShapesOfFewerAndMoreExtents) {
  for (const auto& [shape, n, h, w, c] :
       std::vector<std::tuple<Shape, int, int, int, int>>{{{7}, 1, 1, 1, 7},
                                                          {{2, 7}, 2, 1, 1, 7},
                                                          {{2, 3, 7}, 2, 1, 3, 7},
                                                          {{2, 5, 3, 7}, 2, 5, 3, 7},
                                                          {{2, 4, 5, 3, 7}, 8, 5, 3, 7}}) {
    Graph graph;
    append(graph, Clamp{{-1, 1}}, {input(graph, shape, grid(0.5f, 0))}, grid(0.5f, 0));
    expect_fields(last_layer(graph), {{F::kBatch, n}, {F::kInH, h}, {F::kInW, w}, {F::kInC, c}});
  }
}

TEST(NpuLayer, WordsOfActivations) {
  // The output holds [-64, 63.5]; with zero point -128 and scale 6/255 it holds just [0, 6].
  auto act = [](Bounds bounds, const QuantParams& out) {
    Graph graph;
    append(graph, Clamp{bounds}, {input(graph, {1, 4}, grid(0.5f, 0))}, out);
    return last_layer(graph).word(F::kAct);
  };
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const QuantParams wide = grid(0.5f, 0);
  EXPECT_EQ(act({0, kInf}, wide), "relu");
  EXPECT_EQ(act({0, 6}, wide), "relu6");
  EXPECT_EQ(act({-1, 1}, wide), "relu_n1_to_1");
  EXPECT_EQ(act({0, 1}, wide), "relu_0_to_1");
  EXPECT_EQ(act({0, 5}, wide), "clamp");
  EXPECT_EQ(act({0, 63.5f}, wide), "relu");
  EXPECT_EQ(act({-64, 70}, wide), "none");
  EXPECT_EQ(act({0, 6}, grid(6.0f / 255, -128)), "none");
}

TEST(NpuLayer, AxesOrderStepsAndScales) {
  Graph graph;
  const ValueId x = input(graph, {1, 4, 6, 8}, grid(0.5f, 0));
  append(graph, Mean{{1, 2}, false}, {x}, grid(0.5f, 0));
  EXPECT_EQ(last_layer(graph).word(F::kAxes), "hw");
  append(graph, Pad{{0, 1, 0, 0}, {0, 0, 0, 2}, 0}, {x}, grid(0.5f, 0));
  EXPECT_EQ(last_layer(graph).word(F::kAxes), "hc");
  append(graph, Transpose{{0, 3, 1, 2}}, {x}, grid(0.5f, 0));
  EXPECT_EQ(last_layer(graph).word(F::kPerm), "nchw");
  append(graph, Slice{{0, 3, 0, 0}, {1, 4, 2, 8}, {1, -1, 3, 1}}, {x}, grid(0.5f, 0));
  EXPECT_EQ(last_layer(graph).word(F::kAxes), "hw");
  EXPECT_EQ(last_layer(graph).number(F::kSliceStep), -1);  // both 2 away from 1: the first
  append(graph, Concat{3}, {x, x}, grid(0.5f, 0));
  EXPECT_EQ(last_layer(graph).word(F::kAxes), "c");
  expect_fields(last_layer(graph), {{F::kInputs, 2}, {F::kOtherElems, 192}, {F::kInBytes, 384}});
  append(graph, ResizeNearest{10, 6, false, true}, {x}, grid(0.5f, 0));
  expect_fields(last_layer(graph), {{F::kScaleH, 3}, {F::kScaleW, 1}, {F::kAlignCorners, 1}});
  append(graph, Add{}, {x, weights(graph, {8}, grid(0.5f, 0))}, grid(0.5f, 0));
  expect_fields(last_layer(graph), {{F::kConstInputs, 1},
                                    {F::kInputs, 1},
                                    {F::kSameQuant, 1},
                                    {F::kBroadcast, 1},
                                    {F::kMacs, 0}});
  append(graph, Add{}, {x, x}, grid(0.5f, 0));
  expect_fields(last_layer(graph), {{F::kBroadcast, 0}, {F::kConstInputs, 0}});
}

NpuLayer layer_of(const std::string& op, const std::vector<std::pair<F, double>>& fields) {
  NpuLayer layer;
  layer.op = op;
  for (const auto& [field, value] : fields) layer.set(field, value);
  return layer;
}

NpuRequirement requirement_of(const Npu& npu) { return npu.require.at(0); }

TEST(NpuRules, RangesAndTheirNearestValue) {
  struct Case {
    const char* range;
    double value;
    bool holds;
    double nearest;
  };
  for (const Case& each : {Case{"3", 3, true, 3},
                           {"3", 4, false, 3},
                           {"\"stride_h\"", 7, true, 7},
                           {"\"stride_h\"", 6, false, 7},
                           {"{ min = 4 }", 3, false, 4},
                           {"{ max = 4 }", 4, true, 4},
                           {"{ max = 4 }", 5, false, 4},
                           {"{ multiple_of = 8 }", 17, false, 24},
                           {"{ multiple_of = 8, max = 20 }", 17, false, 16},
                           {"{ multiple_of = 8, min = 9 }", 1, false, 16},
                           {"{ one_of = [1, 2, 4] }", 3, false, 4},
                           {"{ one_of = [1, 2, 4] }", 9, false, 4},
                           {"{ min = 2, max = \"stride_h\" }", 8, false, 7}}) {
    SCOPED_TRACE(each.range);
    const Npu npu =
        npu_of(std::string("[[require]]\nthat = { k_h = ") + each.range +
               " }\nreason = \"{k_h}\"\nreplacement = \"{k_h.legal}\"\nsource = \"s\"\n");
    const NpuLayer layer = layer_of("conv2d", {{F::kKH, each.value}, {F::kStrideH, 7}});
    const NpuRange& range = npu.require[0].any[0][0];
    EXPECT_EQ(holds(npu, layer, range), each.holds);
    EXPECT_EQ(nearest_legal(npu, layer, range), each.nearest);
    EXPECT_EQ(filled_in(npu, layer, "{k_h} to {k_h.legal}", npu.require[0].any),
              std::to_string(static_cast<int>(each.value)) + " to " +
                  std::to_string(static_cast<int>(each.nearest)));
  }
  const Npu npu = npu_of(
      "[[require]]\nthat = { k_w = { not_multiple_of = 2, none_of = [5] }, act = { none_of = "
      "[\"clamp\"] }, per_channel = true }\nreason = \"r\"\nreplacement = \"p\"\nsource = \"s\"\n");
  NpuLayer layer = layer_of("conv2d", {{F::kKW, 3}, {F::kPerChannel, 1}});
  EXPECT_TRUE(is_met(npu, layer, requirement_of(npu)));
  for (const auto& [field, value] :
       {std::pair{F::kKW, 4.0}, {F::kKW, 5.0}, {F::kPerChannel, 0.0}}) {
    NpuLayer other = layer;
    other.set(field, value);
    EXPECT_FALSE(is_met(npu, other, requirement_of(npu)));
  }
  layer.set(F::kAct, "clamp");
  EXPECT_FALSE(is_met(npu, layer, requirement_of(npu)));
}

std::string require(const std::string& what, const std::string& fix, const std::string& reason) {
  return what + "\nfix = \"" + fix + "\"\nreason = \"" + reason +
         "\"\nreplacement = \"other\"\nsource = \"s\"\n";
}

TEST(NpuRules, RequirementsAskOnlyWhereTheyApply) {
  const Npu npu =
      npu_of(require("[[require]]\nop = [\"dense\"]\nwhen = { in_bits = 16 }\nany = [ { "
                     "in_c = 1 }, { out_c = 1 } ]",
                     "rewrite", "r"));
  auto met = [&](const char* op, double bits, double in_c, double out_c) {
    return is_met(npu, layer_of(op, {{F::kInBits, bits}, {F::kInC, in_c}, {F::kOutC, out_c}}),
                  requirement_of(npu));
  };
  EXPECT_FALSE(met("dense", 16, 2, 2));
  EXPECT_TRUE(met("dense", 16, 2, 1));  // one alternative is enough
  EXPECT_TRUE(met("dense", 16, 1, 2));
  EXPECT_TRUE(met("dense", 8, 2, 2));
  EXPECT_TRUE(met("conv2d", 16, 2, 2));
}

TEST(NpuRules, VerdictsFollowTheUnmetRequirements) {
  const Npu npu = npu_of(
      require("[[require]]\nthat = { in_bits = 8 }", "requantize", "{in_bits} bits") +
      "[[accept]]\nname = \"a\"\nop = [\"conv2d\"]\nwhere = { k_h = 3 }\nsource = \"s\"\n" +
      require("[[accept.require]]\nthat = { groups = 1 }", "rewrite", "{groups} groups") +
      require("[[accept.require]]\nthat = { stride_h = 1 }", "redesign", "stride {stride_h}") +
      "[[accept]]\nname = \"b\"\nop = [\"conv2d\"]\nsource = \"s\"\n" +
      require("[[accept.require]]\nthat = { in_c = 4 }", "redesign", "not 4") +
      "[[accept]]\nname = \"c\"\nop = [\"reshape\"]\nruns = \"free\"\nsource = \"s\"\n" +
      require("[[refuse]]\nop = [\"mean\"]", "rewrite", "mean") +
      require("[[refuse]]\nop = [\"mean\", \"softmax\"]", "redesign", "no {in_c}") +
      "[[limit]]\nname = \"l\"\nover = \"each\"\nop = [\"conv2d\"]\nterms = [ { times = 2, of = { "
      "out_h = 4 } } ]\nmax = 6\nunit = \"u\"\n" +
      require("", "redesign", "{out_h} rows"));
  struct Case {
    const char* op;
    std::vector<std::pair<F, double>> fields;
    NpuVerdict verdict;
    std::vector<std::string> reasons;
  };
  // The rest is legal where not said otherwise: 8 bits, kernel 3, one group, stride 1, 12 rows.
  for (const Case& each : std::vector<Case>{
           {"conv2d", {}, NpuVerdict::kNpu, {}},
           {"reshape", {}, NpuVerdict::kFree, {}},
           {"conv2d", {{F::kGroups, 2}}, NpuVerdict::kRewrite, {"2 groups"}},
           {"conv2d", {{F::kInBits, 16}}, NpuVerdict::kRequantize, {"16 bits"}},
           {"conv2d",
            {{F::kInBits, 16}, {F::kGroups, 2}, {F::kInC, 4}},
            NpuVerdict::kRequantize,
            {"16 bits"}},  // "b" has one unmet, "a" two
           {"conv2d",
            {{F::kInBits, 16}, {F::kStrideH, 2}},
            NpuVerdict::kCpu,
            {"stride 2", "16 bits"}},  // as many as "b": the first; the redesign before
           {"conv2d", {{F::kStrideH, 2}, {F::kInC, 4}}, NpuVerdict::kNpu, {}},
           {"conv2d", {{F::kKH, 5}}, NpuVerdict::kCpu, {"not 4"}},
           {"conv2d", {{F::kOutH, 13}}, NpuVerdict::kCpu, {"13 rows"}},  // 2 * ceil(13/4) = 8
           {"mean", {}, NpuVerdict::kRewrite, {"mean"}},                 // the first that names it
           {"softmax", {{F::kInC, 7}}, NpuVerdict::kCpu, {"no 7"}},
           {"tanh", {}, NpuVerdict::kCpu, {"no rule accepts this operator"}}}) {
    NpuLayer layer = layer_of(each.op, {{F::kInBits, 8},
                                        {F::kKH, 3},
                                        {F::kGroups, 1},
                                        {F::kStrideH, 1},
                                        {F::kOutH, 12},
                                        {F::kInC, 3}});
    for (const auto& [field, value] : each.fields) layer.set(field, value);
    const NpuLegality legality = npu_legality(npu, layer);
    EXPECT_EQ(npu_verdict_name(legality.verdict), npu_verdict_name(each.verdict)) << each.op;
    std::vector<std::string> reasons;
    for (const NpuReason& reason : legality.reasons) reasons.push_back(reason.reason);
    EXPECT_EQ(reasons, each.reasons);
  }
}

}  // namespace
}  // namespace nibble
