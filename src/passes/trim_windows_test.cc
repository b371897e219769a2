// trim_windows: taps that see nothing go, and only those.
#include <functional>

#include "passes/list.h"
#include "support/pass_test.h"

namespace nibble {
namespace {

const std::string kQuant = " {scale=[0.1], zero_point=[7], bits=8, range=[-128,127]}";
const std::string kWeights = " {scale=[0.01], zero_point=[0], bits=8, range=[-127,127]}";

Graph layer(const std::string& in, const std::string& filter, const std::string& out,
            const std::string& attributes, bool depthwise = false) {
  return graph_of("input %x : s8" + in + kQuant + "\nconst %w : s8" + filter + kWeights +
                  " = random\nnode \"layer\" %y : s8" + out + kQuant + " = " +
                  (depthwise ? "depthwise_conv2d" : "conv2d") + "(%x, %w, _) " + attributes +
                  "\noutput %y\n");
}

Shape filter_after(const Graph& before) {
  Graph after = after_pass(trim_windows, before);
  return after.type(after.nodes[0].inputs[1]).shape;
}

TEST(TrimWindows, TapsThatNeverMeetTheImage) {
  EXPECT_EQ(filter_after(layer("[1,3,3,2]", "[1,7,7,2]", "[1,3,3,2]",
                               "pad_top=3 pad_left=3 pad_bottom=3 pad_right=3", true)),
            (Shape{1, 5, 5, 2}));
  EXPECT_EQ(filter_after(layer("[1,1,4,2]", "[3,3,3,2]", "[1,1,4,3]",
                               "pad_top=1 pad_left=1 pad_bottom=1 pad_right=1")),
            (Shape{3, 1, 3, 2}));
  // At stride 2 the last row of the window is never inside.
  EXPECT_EQ(filter_after(layer("[1,2,2,1]", "[1,3,3,1]", "[1,1,1,1]",
                               "stride_h=2 stride_w=2 pad_bottom=1 pad_right=1")),
            (Shape{1, 2, 2, 1}));
  EXPECT_EQ(filter_after(layer("[1,2,2,2]", "[3,3,3,2]", "[1,2,2,3]",
                               "dilation_h=2 dilation_w=2 pad_top=2 pad_left=2 pad_bottom=2 "
                               "pad_right=2")),
            (Shape{3, 1, 1, 2}));
}

TEST(TrimWindows, TapsOfZeros) {
  Graph graph =
      layer("[1,5,5,2]", "[3,3,3,2]", "[1,5,5,3]", "pad_top=1 pad_left=1 pad_bottom=1 pad_right=1");
  Tensor& filter = *graph.value(graph.nodes[0].inputs[1]).constant;
  for (int64_t o = 0; o < 3; ++o)
    for (int64_t tap : {0, 1, 2, 3, 6})
      for (int64_t c = 0; c < 2; ++c) filter.set_integer_at((o * 9 + tap) * 2 + c, 0);
  EXPECT_EQ(filter_after(graph), (Shape{3, 2, 2, 2}));
}

// Zero is what lies at the zero point; and a group's runs would be others without a row.
TEST(TrimWindows, ZeroPointsAndGroups) {
  auto with_rows_of = [](int64_t q, const std::function<void(QuantParams&)>& change) {
    Graph graph = layer("[1,5,5,2]", "[3,3,3,2]", "[1,5,5,3]",
                        "pad_top=1 pad_left=1 pad_bottom=1 pad_right=1");
    Value& value = graph.value(graph.nodes[0].inputs[1]);
    for (int64_t o = 0; o < 3; ++o)
      for (int64_t elem = 0; elem < 6; ++elem) value.constant->set_integer_at(o * 18 + elem, q);
    QuantParams params = *value.type.quant;
    change(params);
    value.type.quant = params;
    value.constant->set_quant(params);
    return filter_after(graph);
  };
  auto moved = [](QuantParams& params) { params.zero_point.assign(params.zero_point.size(), 5); };
  EXPECT_EQ(with_rows_of(0, moved), (Shape{3, 3, 3, 2}));
  EXPECT_EQ(with_rows_of(5, moved), (Shape{3, 2, 3, 2}));
  auto grouped = [](QuantParams& params) {
    params.group = 4;
    const QuantIndex runs({3, 3, 3, 2}, params);
    params.group_factor.assign(static_cast<size_t>(runs.channels() * runs.channel_runs()), 2);
  };
  EXPECT_EQ(with_rows_of(0, grouped), (Shape{3, 3, 3, 2}));
}

TEST(TrimWindows, TapsThatAreNeededStay) {
  for (const Graph& graph : {layer("[1,3,3,2]", "[3,3,3,2]", "[1,3,3,3]",
                                   "pad_top=1 pad_left=1 pad_bottom=1 pad_right=1"),
                             layer("[1,5,5,2]", "[3,1,1,2]", "[1,5,5,3]", "")}) {
    Graph after = graph;
    EXPECT_EQ(trim_windows(after), 0);
  }
  // Without padding in front the window cannot start later.
  Graph graph = layer("[1,4,4,1]", "[1,3,3,1]", "[1,2,2,1]", "");
  Tensor& filter = *graph.value(graph.nodes[0].inputs[1]).constant;
  for (int64_t tap : {0, 1, 2}) filter.set_integer_at(tap, 0);
  EXPECT_EQ(filter_after(graph), (Shape{1, 3, 3, 1}));
}

}  // namespace
}  // namespace nibble
