// Lists of layers: shapes worked out by hand, published counts of known networks, errors.
#include "cost/npu/layer_list.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "cost/rows.h"
#include "ops/ops.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

using testing::HasSubstr;

LayerLists lists_of(const std::string& text) {
  auto lists = parse_layer_lists(text, "lists");
  EXPECT_TRUE(lists.ok()) << lists.error().message;
  return *lists;
}

const LayerLists& shipped() {
  static const LayerLists lists =
      lists_of(*read_text_file(source_path("src/cost/npu/networks.txt")));
  return lists;
}

Graph network_of(const LayerLists& lists, const std::string& name,
                 ListedScales scales = ListedScales::kUsual) {
  auto graph = listed_network(lists, name, scales);
  EXPECT_TRUE(graph.ok()) << graph.error().message;
  return *graph;
}

std::string shapes(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes)
    text += (text.empty() ? "" : " ") + format_shape(graph.type(node.outputs[0]).shape);
  return text;
}

constexpr const char* kSmall = R"(
# a comment
network small 9x7x2 5
conv 3x3/2 4        # 5x4
keep
shortcut 1x1/2 8    # 3x2
depthwise 3x1/2 pad=1x0
conv 1x1 2x
add
repeat 2
conv 1x2 8w pad=valid act=none
end
avg_to 2x1
flatten
dense classes
softmax
)";

TEST(LayerList, ShapesAsWorkedOutByHand) {
  // In an image of 7 columns the last convolution would find one where it needs two.
  const Graph graph = network_of(lists_of(kSmall), "small 0.5 9x15x2");
  EXPECT_EQ(shapes(graph),
            "1x5x8x4 1x3x4x8 1x3x4x4 1x3x4x8 1x3x4x8 1x3x3x8 1x3x2x8 1x2x1x8 1x16 1x5 1x5");
  EXPECT_TRUE(verify_graph(graph, VerifyLevel::kQuantized).ok());
  const auto& conv = std::get<Conv2d>(graph.nodes[0].op);
  EXPECT_EQ(conv.window.pad_top, 1);
  EXPECT_EQ(conv.window.pad_bottom, 1);
  EXPECT_EQ(conv.act.min, 0);
  EXPECT_TRUE(std::get<Conv2d>(graph.nodes[5].op).act.none());
  const auto& average = std::get<AvgPool2d>(graph.nodes[7].op);
  EXPECT_EQ(average.window.stride_h, 1);
  EXPECT_EQ(average.k_h, 2);
  EXPECT_EQ(average.k_w, 2);
  // The sum reads the end of its own branch and the shortcut.
  EXPECT_EQ(graph.nodes[4].inputs,
            (std::vector<ValueId>{graph.nodes[3].outputs[0], graph.nodes[1].outputs[0]}));
}

TEST(LayerList, PaddingAsTensorFlowHasIt) {
  // 8 pixels, stride 2: 4 outputs need 9, the odd pixel is behind.
  const Graph graph = network_of(lists_of("network n 8x8x1\nconv 3x3/2 1\n"), "n");
  const Window& window = std::get<Conv2d>(graph.nodes[0].op).window;
  EXPECT_EQ(window.pad_top, 0);
  EXPECT_EQ(window.pad_bottom, 1);
}

TEST(LayerList, WidthsGoToMultiplesOfEightNotATenthBelow) {
  auto channels = [](const std::string& word, const std::string& width) {
    const Graph graph =
        network_of(lists_of("network n 1x1x1\nconv 1x1 " + word + "\n"), "n " + width);
    return graph.type(graph.outputs[0].value).shape[3];
  };
  EXPECT_EQ(channels("32w", "0.35"), 16);  // 11.2: 8 is too far below
  EXPECT_EQ(channels("24w", "0.35"), 8);   // 8.4
  EXPECT_EQ(channels("96w", "0.35"), 32);  // 33.6
  EXPECT_EQ(channels("1280w+", "0.35"), 1280);
  EXPECT_EQ(channels("1280w+", "1.4"), 1792);
  EXPECT_EQ(channels("33", "0.35"), 33);
}

double macs_of(const std::string& name) {
  double macs = 0;
  for (const OpTotals& totals : network_totals(network_of(shipped(), name))) macs += totals.macs;
  return macs;
}

TEST(LayerList, ProductsOfKnownNetworks) {
  // The papers say 569 and 300 million; the sums of the layers by hand; MicroNets 15.6 and 62.3.
  EXPECT_EQ(macs_of("mobilenet_v1 1.0"), 568'740'352);
  EXPECT_EQ(macs_of("mobilenet_v2 1.0"), 300'774'272);
  EXPECT_NEAR(macs_of("ai85_simplenet") / 1e6, 18.5, 0.05);
  EXPECT_EQ(macs_of("ai85_nas_cifar 100"), 36'227'072);
  EXPECT_NEAR(macs_of("micronet_kws_m") / 1e6, 15.6, 0.06);
  EXPECT_NEAR(macs_of("micronet_ad_m") / 1e6, 62.3, 0.06);
}

// The model of CPUs has its own description of some of them.
TEST(LayerList, AgreeWithTheDescriptionsForCpus) {
  const CostNetworks described = described_networks();
  int compared = 0;
  for (const auto& [name, network] : described) {
    if (name.find("mobilenet") == std::string::npos) continue;
    ++compared;
    const NetworkTotals totals = network_totals(network_of(shipped(), name));
    for (size_t i = 0; i < kCostOps; ++i) {
      EXPECT_EQ(totals[i].macs, network.all[i].macs) << name;
      EXPECT_EQ(totals[i].outputs, network.all[i].outputs) << name;
    }
  }
  EXPECT_EQ(compared, 9);
}

TEST(LayerList, EveryShippedListIsANetwork) {
  EXPECT_GE(shipped().size(), 17u);
  for (const auto& [name, list] : shipped())
    for (const ListedScales scales : {ListedScales::kUsual, ListedScales::kPowersOfTwo}) {
      const Graph graph = network_of(shipped(), name, scales);
      const Status status = verify_graph(graph, VerifyLevel::kQuantized);
      EXPECT_TRUE(status.ok()) << name << ": " << status.error().message;
      EXPECT_EQ(graph.type(graph.outputs[0].value).shape.back(), list.classes) << name;
    }
}

TEST(LayerList, SaysWhatIsWrongAndWhere) {
  auto message = [](const std::string& text) {
    auto lists = parse_layer_lists(text, "lists");
    return lists.ok() ? "" : lists.error().message;
  };
  EXPECT_EQ(message("\nconv 3x3 4"), "lists:2: a layer before the first 'network NAME HxWxC'");
  EXPECT_EQ(message("network n 3x3"), "lists:1: expected 'network NAME HxWxC [CLASSES]'");
  EXPECT_EQ(message("network n 3x3x1\nnetwork n 3x3x1"),
            "lists:2: the network 'n' stands here twice");
  EXPECT_EQ(message("network n 3x3x1\nrepeat 0"), "lists:2: expected 'repeat N', N from 1 to 100");
  EXPECT_EQ(message("network n 3x3x1\nrepeat 2\nflatten"), "lists:3: 'repeat' without 'end'");
  EXPECT_EQ(message("network n 3x3x1\nend"), "lists:2: 'end' without 'repeat'");

  auto graph_message = [](const std::string& layers, const std::string& name = "n") {
    auto graph = listed_network(lists_of("network n 3x3x1\n" + layers), name, {});
    return graph.ok() ? "" : graph.error().message;
  };
  EXPECT_EQ(graph_message("", "m"), "'m': no list of layers has the name 'm'");
  EXPECT_EQ(graph_message("swish"), "'n', line 2: no kind of layer: 'swish'");
  EXPECT_EQ(graph_message("conv 3x3 4 stride=2"), "'n', line 2: 'stride=2': expected pad= or act=");
  EXPECT_EQ(graph_message("conv 3 4"), "'n', line 2: '3': expected KHxKW, KHxKW/S or KHxKW/SHxSW");
  EXPECT_EQ(graph_message("add"), "'n', line 2: 'add' without 'keep' before it");
  EXPECT_EQ(graph_message("flatten\nconv 1x1 2"),
            "'n', line 3: expected an image in front of 'conv'");
  EXPECT_THAT(graph_message("conv 5x5 4 pad=valid"), HasSubstr("'n', line 2: "));
  EXPECT_THAT(graph_message("conv 1x1 4.5"), HasSubstr("4.5"));
}

}  // namespace
}  // namespace nibble
