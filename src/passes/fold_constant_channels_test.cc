// fold_constant_channels: what is constant goes into the bias, where padding allows it.
#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[-128], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";

// A pointwise layer of three channels with small weights, and a layer behind it.
struct TwoLayers {
  Graph graph;
  explicit TwoLayers(const std::string& second, const std::string& filter,
                     const std::string& out = "[1,4,4,2]")
      : graph(graph_of("input %x : s8[1,4,4,2]" + kQuant + "\nconst %w : s8[3,1,1,2]" + kWeights +
                       " = random\nconst %b : s32[3] = random\nnode \"first\" %f : s8[1,4,4,3]" +
                       kQuant + " = conv2d(%x, %w, %b) act=[0,6]\nconst %v : s8" + filter +
                       kWeights + " = random\nnode \"second\" %y : s8" + out + kQuant + " = " +
                       second + "\noutput %y\n")) {
    // No weight is zero, no channel of the first layer is constant, and sums of two weights fit.
    for (int64_t i = 0; i < filter_of(0).size(); ++i)
      filter_of(0).set_integer_at(i, i % 2 == 0 ? 40 + i : -30);
    for (int64_t i = 0; i < filter_of(1).size(); ++i)
      filter_of(1).set_integer_at(i, (i * 7 % 60 + 1) * (i % 5 < 2 ? -1 : 1));
    for (int64_t c = 0; c < 3; ++c) bias_of_first().set_integer_at(c, 100 * c);
  }
  Tensor& bias_of_first() { return *graph.value(graph.nodes[0].inputs[2]).constant; }
  Tensor& filter_of(int node) {
    return *graph.value(graph.nodes[static_cast<size_t>(node)].inputs[1]).constant;
  }
  // Channel `c` of the first layer gives `bias` alone.
  TwoLayers& plant(int64_t c, int64_t bias) {
    for (int64_t i : {2 * c, 2 * c + 1}) filter_of(0).set_integer_at(i, 0);
    bias_of_first().set_integer_at(c, bias);
    return *this;
  }
  // How many weights of the second layer are left for each channel of the first.
  std::vector<int> read() {
    Graph after = after_pass(fold_constant_channels, graph);
    const Tensor& filter = *after.value(after.nodes.back().inputs[1]).constant;
    std::vector<int> counts(static_cast<size_t>(filter.shape().back()), 0);
    for (int64_t i = 0; i < filter.size(); ++i)
      counts[static_cast<size_t>(i) % counts.size()] += filter.integer_at(i) != 0;
    has_bias = after.nodes.back().inputs.size() > 2 && after.nodes.back().inputs[2] != kNoValue;
    return counts;
  }
  bool has_bias = false;
};

constexpr const char* kPadded = "conv2d(%f, %v, _) pad_top=1 pad_left=1 pad_bottom=1 pad_right=1";

TEST(FoldConstantChannels, IntoABiasThatIsMadeForThem) {
  TwoLayers layers("conv2d(%f, %v, _)", "[2,1,1,3]");
  EXPECT_EQ(layers.read(), (std::vector{2, 2, 2}));
  EXPECT_FALSE(layers.has_bias);
  EXPECT_EQ(layers.plant(1, 4000).read(), (std::vector{2, 0, 2}));
  EXPECT_TRUE(layers.has_bias);
}

TEST(FoldConstantChannels, ZeroPointsNeedNoBias) {
  TwoLayers layers(kPadded, "[2,3,3,3]");
  EXPECT_EQ(layers.plant(1, -4000).read(), (std::vector{18, 0, 18}));
  EXPECT_FALSE(layers.has_bias);
}

TEST(FoldConstantChannels, SaturatedChannels) {
  TwoLayers layers("conv2d(%f, %v, _)", "[2,1,1,3]");
  Tensor& bias = layers.bias_of_first();
  bias.set_integer_at(0, 200000);
  bias.set_integer_at(2, -200000);
  EXPECT_EQ(layers.read(), (std::vector{0, 2, 0}));
}

// Outside the image the channel is the zero point, not 4000 steps: it stays.
TEST(FoldConstantChannels, PaddingKeepsThem) {
  TwoLayers layers(kPadded, "[2,3,3,3]");
  EXPECT_EQ(layers.plant(1, 4000).read(), (std::vector{18, 18, 18}));
  // Two of one value become one.
  EXPECT_EQ(layers.plant(2, 4000).read(), (std::vector{18, 18, 0}));
  // Of two values, both stay.
  EXPECT_EQ(layers.plant(2, 3000).read(), (std::vector{18, 18, 18}));
}

TEST(FoldConstantChannels, PaddingThatMeetsOnlyZerosDoesNot) {
  TwoLayers layers(kPadded, "[2,3,3,3]");
  layers.plant(1, 4000);
  for (int64_t o = 0; o < 2; ++o)
    for (int64_t tap = 0; tap < 9; ++tap)
      if (tap != 4) layers.filter_of(1).set_integer_at((o * 9 + tap) * 3 + 1, 0);
  EXPECT_EQ(layers.read(), (std::vector{18, 0, 18}));
}

TEST(FoldConstantChannels, OneOutputPositionTakesAnything) {
  TwoLayers layers("conv2d(%f, %v, _) stride_h=4 stride_w=4 pad_top=1 pad_left=1", "[2,5,5,3]",
                   "[1,1,1,2]");
  EXPECT_EQ(layers.plant(1, 4000).read(), (std::vector{50, 0, 50}));
}

TEST(FoldConstantChannels, AWholeValue) {
  TwoLayers layers("conv2d(%f, %v, _)", "[2,1,1,3]");
  for (int64_t c = 0; c < 3; ++c) layers.plant(c, 1000 * c);
  Graph after = after_pass(fold_constant_channels, layers.graph);
  ASSERT_EQ(after.nodes.size(), 1u);
  EXPECT_TRUE(after.is_constant(after.nodes[0].inputs[0]));
}

}  // namespace
}  // namespace nibble
