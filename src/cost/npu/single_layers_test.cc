// One layer of each kind, of 16 channels on 32x32 unless said, and its verdict everywhere: n npu, c
// cpu, r rewrite, q requantize.
#include <gmock/gmock.h>

#include <functional>

#include "cost/npu/cycles.h"
#include "cost/npu/npu.h"
#include "support/small_npu.h"

namespace nibble {
namespace {

using namespace small_npu;

// Data with a zero point and weights with a scale per channel, or the scales that engines without a
// multiplication behind the sum need.
struct Scales {
  QuantParams data, weights;
};

Scales scales_of(bool powers_of_two, int64_t channels, int weight_bits) {
  if (powers_of_two) return {grid(0.5f, 0), grid(0.25f, 0, weight_bits)};
  Scales scales{grid(0.3f, 3), grid(0.1f, 0, weight_bits)};
  scales.weights.scale.assign(static_cast<size_t>(channels), 0.1f);
  scales.weights.zero_point.assign(static_cast<size_t>(channels), 0);
  scales.weights.axis = 0;
  return scales;
}

NpuLayer conv(bool powers_of_two, int64_t k, Window window, Bounds act = {}, int weight_bits = 8) {
  Graph graph;
  const Scales scales = scales_of(powers_of_two, 16, weight_bits);
  const ValueId x = input(graph, {1, 32, 32, 16}, scales.data);
  append(graph, Conv2d{window, 1, act},
         {x, weights(graph, {16, k, k, 16}, scales.weights), bias(graph, 16)}, scales.data);
  return npu_layer(graph, graph.nodes[0]);
}

NpuLayer unary(bool powers_of_two, Op op, Shape shape) {
  Graph graph;
  const Scales scales = scales_of(powers_of_two, 1, 8);
  append(graph, std::move(op), {input(graph, std::move(shape), scales.data)}, scales.data);
  return npu_layer(graph, graph.nodes[0]);
}

NpuLayer depthwise_of_two(bool powers_of_two) {
  Graph graph;
  Scales scales = scales_of(powers_of_two, 32, 8);
  if (!powers_of_two) scales.weights.axis = 3;
  const ValueId x = input(graph, {1, 32, 32, 16}, scales.data);
  append(graph, DepthwiseConv2d{{.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1}, {}},
         {x, weights(graph, {1, 3, 3, 32}, scales.weights), bias(graph, 32)}, scales.data);
  return npu_layer(graph, graph.nodes[0]);
}

NpuLayer dense(bool powers_of_two) {
  Graph graph;
  const Scales scales = scales_of(powers_of_two, 10, 8);
  const ValueId x = input(graph, {1, 4096}, scales.data);
  append(graph, Dense{}, {x, weights(graph, {10, 4096}, scales.weights), bias(graph, 10)},
         scales.data);
  return npu_layer(graph, graph.nodes[0]);
}

Window around(int64_t pad, int64_t dilation = 1) {
  return {.dilation_h = dilation,
          .dilation_w = dilation,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad};
}

std::vector<NpuLayer> layers(bool powers_of_two) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  NpuLayer wide = conv(powers_of_two, 3, around(1));
  for (NpuField bits : {NpuField::kInBits, NpuField::kOutBits}) wide.set(bits, 16);
  for (NpuField type : {NpuField::kInType, NpuField::kOutType}) wide.set(type, std::string("s16"));
  return {
      conv(powers_of_two, 5, around(2), {0, kInf}),
      conv(powers_of_two, 3, around(2, 2)),
      conv(powers_of_two, 3, {.stride_h = 4, .stride_w = 4}),
      depthwise_of_two(powers_of_two),
      conv(powers_of_two, 1, {}, {0, 6}),
      unary(powers_of_two, Sigmoid{}, {1, 64}),
      unary(powers_of_two,
            MaxPool2d{3, 3, {.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1}, {}},
            {1, 32, 32, 96}),
      unary(powers_of_two, ResizeNearest{24, 24, false, false}, {1, 8, 8, 16}),
      dense(powers_of_two),
      unary(powers_of_two, Mean{{1, 2}, false}, {1, 7, 7, 64}),
      conv(powers_of_two, 3, around(1), {}, 4),
      conv(powers_of_two, 3, around(1), {}, 1),
      wide};
}

// conv 5x5, dilation 2, stride 4, depthwise with multiplier 2, 1x1 with relu6, sigmoid, max pool
// 3x3 of 96 channels, nearest neighbour by 3, dense of 4096, mean of the image, weights of 4 bits
// and of 1, data of 16 bits. Engines max7800x and tinpu with powers of two.
constexpr struct {
  const char *engine, *verdicts;
} kRows[] = {
    {"axon", "ncnrncnccnrrq"},       {"esp-pie-p4", "nqnnnqnqnnrrq"},
    {"esp-pie-s3", "nqnnnqnqnnrrq"}, {"ethos-u55", "nnnrnnncnnrrn"},
    {"ethos-u65", "nnnrnnncnnrrn"},  {"ethos-u85", "nnnnnnnnnnrrn"},
    {"kpu", "cccrncccccrrq"},        {"max78000", "ccrrqcccnnnnq"},
    {"max78002", "cnrrqcccnnnnq"},   {"ne16", "ncnrncccncnrn"},
    {"neural-art", "nnnnnnncnnnrq"}, {"neutron-n1", "nnnrnnncnnrrq"},
    {"neutron-n3", "nnnrnnncnnrrq"}, {"silabs-mvp", "ncnnncncnrrrq"},
    {"tinpu", "nccrncncnnnrq"},
};

TEST(NpuSingleLayers, VerdictsEverywhere) {
  const std::vector<NpuLayer> usual = layers(false), powers_of_two = layers(true);
  for (const auto& row : kRows) {
    const std::string engine = row.engine;
    const auto npu = find_npu(engine);
    ASSERT_TRUE(npu.ok() && npu->has_value()) << engine;
    const bool needs_powers = engine.starts_with("max") || engine == "tinpu";
    std::string verdicts;
    for (const NpuLayer& layer : needs_powers ? powers_of_two : usual) {
      const NpuVerdict verdict = npu_legality(**npu, layer).verdict;
      verdicts += verdict == NpuVerdict::kRequantize ? 'q' : npu_verdict_name(verdict)[0];
    }
    EXPECT_EQ(verdicts, row.verdicts) << engine;
  }
}

NpuLayer of_bits(int bits, int64_t k) {
  NpuLayer layer = conv(false, k, around(k / 2));
  for (NpuField field : {NpuField::kInBits, NpuField::kOutBits}) layer.set(field, bits);
  for (NpuField field : {NpuField::kInBytes, NpuField::kOutBytes})
    layer.set(field, layer.number(field) * bits / 8);
  if (bits == 16)
    for (NpuField type : {NpuField::kInType, NpuField::kOutType})
      layer.set(type, std::string("s16"));
  return layer;
}

// NE16 makes 3x3 outputs of 32 channels at a time, of 16 input channels, or of 8 of 16 bits:
// 11 * 11 squares of (45 + 16 outputs * 8 bits) + 30 + 1.125 * 16, and of twice that with 80 for
// sums of 32 bits both ways and ten instructions on eight cores per value.
TEST(NpuSingleLayers, SixteenBitsOnNe16) {
  const Npu npu = **find_npu("ne16");
  const NpuBankRates banks{1e9, 1e9};
  EXPECT_DOUBLE_EQ(npu_cycles(npu, of_bits(8, 3), banks)->cycles, 121 * (45 + 16 * 8 + 30 + 18));
  EXPECT_DOUBLE_EQ(npu_cycles(npu, of_bits(16, 3), banks)->cycles,
                   121 * (2 * 45 + 2 * 16 * 8 + 80) + 1.25 * 32 * 32 * 16);
  NpuLayer depthwise = depthwise_of_two(false);
  depthwise.set(NpuField::kInBits, 16);
  EXPECT_NE(npu_legality(npu, depthwise).verdict, NpuVerdict::kNpu);
}

// Whatever takes 16 bits takes longer for them, or has no figure; nothing prices them as 8.
TEST(NpuSingleLayers, SixteenBitsAreNeverPricedAsEight) {
  const auto npus = all_npus();
  ASSERT_TRUE(npus.ok());
  const NpuBankRates banks{1e9, 1e9};
  int priced = 0;
  for (const Npu& npu : *npus)
    for (int64_t k : {1, 3, 5}) {
      const NpuLayer wide = of_bits(16, k);
      const NpuVerdict verdict = npu_legality(npu, wide).verdict;
      if (verdict != NpuVerdict::kNpu && verdict != NpuVerdict::kUnknown) continue;
      const std::optional<NpuCycles> eight = npu_cycles(npu, of_bits(8, k), banks);
      const std::optional<NpuCycles> sixteen = npu_cycles(npu, wide, banks);
      if (!sixteen) continue;
      ASSERT_TRUE(eight);
      // Of 1x1 the Ethos-U85's output unit decides, which is as fast for both.
      EXPECT_GE(sixteen->cycles, (k == 1 ? 1 : 1.2) * eight->cycles) << npu.name << " " << k;
      ++priced;
    }
  EXPECT_GE(priced, 12);
}

// For every engine with rules.
void for_each_engine(const std::function<void(const Npu&)>& look) {
  const auto npus = all_npus();
  ASSERT_TRUE(npus.ok()) << npus.error().message;
  for (const Npu& npu : *npus) {
    SCOPED_TRACE(npu.name);
    if (npu.rules_known) look(npu);
  }
}

std::string all_texts(const NpuLegality& legality) {
  std::string text;
  for (const NpuReason& each : legality.reasons)
    text += each.reason + "; instead: " + each.replacement + "\n";
  return text;
}

// More bits than there are cannot be "stored" in fewer: those are other weights.
TEST(NpuSingleLayers, WiderWeightsAreToBeQuantized) {
  for_each_engine([](const Npu& npu) {
    NpuLayer layer = conv(true, 3, around(1), {0, std::numeric_limits<float>::infinity()});
    layer.set(NpuField::kWeightBits, 32);
    const NpuLegality legality = npu_legality(npu, layer);
    EXPECT_EQ(legality.verdict, NpuVerdict::kRequantize) << all_texts(legality);
    EXPECT_THAT(all_texts(legality), testing::HasSubstr("quantize the weights to"));
    EXPECT_THAT(all_texts(legality), testing::Not(testing::HasSubstr("store the same weights")));
  });
}

// A network that takes and gives floats converts at its border: no change of that layer's own
// scales would bring it onto the accelerator.
TEST(NpuSingleLayers, FloatsAtTheBorderStayOnTheCpu) {
  for_each_engine([](const Npu& npu) {
    for (const bool to_float : {false, true}) {
      Graph graph;
      const TensorType real{{1, 8, 8, 4}, DType::kF32, std::nullopt};
      if (to_float)
        append_node(graph, Dequantize{}, "n", {input(graph, real.shape, grid(0.5f, 0))}).value();
      else
        append_node(graph, Quantize{}, "n", {append_input(graph, "x", real)}, grid(0.5f, 0),
                    DType::kS8)
            .value();
      const NpuLegality legality = npu_legality(npu, npu_layer(graph, graph.nodes[0]));
      EXPECT_EQ(legality.verdict, NpuVerdict::kCpu) << all_texts(legality);
      EXPECT_THAT(all_texts(legality), testing::Not(testing::HasSubstr("relu")));
    }
  });
}

TEST(NpuSingleLayers, ReshapesAreFreeWhateverTheirRankAndType) {
  for_each_engine([](const Npu& npu) {
    NpuLayer layer = unary(true, Reshape{{1, 4, 2, 4, 2, 8}}, {1, 8, 8, 8});
    EXPECT_EQ(npu_legality(npu, layer).verdict, NpuVerdict::kFree);
    for (NpuField bits : {NpuField::kInBits, NpuField::kOutBits}) layer.set(bits, 32);
    for (NpuField type : {NpuField::kInType, NpuField::kOutType})
      layer.set(type, std::string("f32"));
    EXPECT_EQ(npu_legality(npu, layer).verdict, NpuVerdict::kFree);
  });
}

// Channels side by side in one memory have one scale.
TEST(NpuSingleLayers, ConcatenationOnMax7800xNeedsOneScale) {
  for (const char* engine : {"max78000", "max78002"}) {
    const auto npu = find_npu(engine);
    ASSERT_TRUE(npu.ok() && npu->has_value()) << engine;
    for (const float other : {0.5f, 0.25f}) {
      Graph graph;
      const ValueId left = input(graph, {1, 8, 8, 4}, grid(0.5f, 0));
      const ValueId right = input(graph, {1, 8, 8, 4}, grid(other, 0));
      append(graph, Concat{3}, {left, right}, grid(0.5f, 0));
      EXPECT_EQ(npu_legality(**npu, npu_layer(graph, graph.nodes[0])).verdict,
                other == 0.5f ? NpuVerdict::kFree : NpuVerdict::kRequantize);
    }
  }
}

// The rows of a dense layer are positions of a 1x1 convolution: no engine needs another network.
TEST(NpuSingleLayers, RowsOfADenseLayerAreNoReasonToRedesign) {
  for_each_engine([](const Npu& npu) {
    Graph graph;
    const Scales scales = scales_of(true, 16, 8);
    append(graph, Dense{},
           {input(graph, {1, 10, 32}, scales.data), weights(graph, {16, 32}, scales.weights),
            bias(graph, 16)},
           scales.data);
    const NpuLegality legality = npu_legality(npu, npu_layer(graph, graph.nodes[0]));
    EXPECT_NE(legality.verdict, NpuVerdict::kCpu) << all_texts(legality);
    EXPECT_THAT(all_texts(legality), testing::Not(testing::HasSubstr("batch")));
  });
}

}  // namespace
}  // namespace nibble
