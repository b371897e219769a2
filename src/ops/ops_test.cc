// Building, verifying and executing whole graphs: names, messages, and the memory that the
// interpreter keeps.
#include "support/weight_layer.h"

namespace nibble {
namespace {

TEST(AppendNode, NamesStayUnique) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 4}, DType::kF32, std::nullopt});
  ValueId first = append_node(graph, Clamp{{0, 6}}, "relu", {x}).value();
  ValueId second = append_node(graph, Clamp{{0, 6}}, "relu", {first}).value();
  ValueId third = append_node(graph, Clamp{{0, 6}}, "x", {second}).value();
  EXPECT_EQ(graph.nodes[0].name, "relu");
  EXPECT_EQ(graph.nodes[1].name, "relu_2");
  EXPECT_EQ(graph.value(second).name, "relu_2");
  EXPECT_EQ(graph.nodes[2].name, "x");
  EXPECT_EQ(graph.value(third).name, "x_2");
  graph.outputs.push_back({third, {}});
  auto status = verify_graph(graph, VerifyLevel::kImported);
  EXPECT_TRUE(status.ok()) << status.error().message;
}

TEST(VerifyGraph, StatedTypesMustBeTheInferredOnes) {
  Rng rng(1);
  Layer layer = valid_layer(Dense{}, {random_f32(rng, {1, 3}), random_f32(rng, {2, 3})});
  layer.graph.value(layer.node().outputs[0]).type.shape = {1, 5};
  auto status = verify_graph(layer.graph, VerifyLevel::kImported);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message,
            "dense 'node': output is stated as 1x5, but its operands give 1x2");
  layer.graph.value(layer.node().outputs[0]).type = {{1, 2}, DType::kS8, s8_params(1, 0)};
  EXPECT_EQ(verify_graph(layer.graph, VerifyLevel::kImported).error().message,
            "dense 'node': output is stated as s8, but its operands give f32");
}

// y = dense(x); z = y + y; outputs y and z: y is read twice and leaves the graph as well.
TEST(Interpreter, OutputsSurviveTheirReaders) {
  Graph graph;
  ValueId x = append_input(graph, "x", {{1, 2}, DType::kF32, std::nullopt});
  ValueId w = append_constant(graph, "w", Tensor::of_floats({1, 2}, std::vector<float>{1, 10}));
  ValueId y = append_node(graph, Dense{}, "y", {x, w}).value();
  ValueId z = append_node(graph, Add{}, "z", {y, y}).value();
  graph.outputs = {{y, {}}, {z, {}}, {x, {}}, {w, {}}};
  Interpreter interpreter(graph);
  std::vector<std::string> seen;
  for (int run = 0; run < 2; ++run) {
    Tensor in = Tensor::of_floats({1, 2}, std::vector<float>{1, 2});
    auto out =
        interpreter.run(std::vector{in}, [&](const Node& node, std::span<const Tensor> values) {
          seen.push_back(node.name + "=" + std::to_string(values[0].data<float>()[0]));
        });
    EXPECT_EQ(floats_of(out[0]), (std::vector<float>{21}));
    EXPECT_EQ(floats_of(out[1]), (std::vector<float>{42}));
    EXPECT_EQ(floats_of(out[2]), (std::vector<float>{1, 2}));
    EXPECT_EQ(floats_of(out[3]), (std::vector<float>{1, 10}));
  }
  EXPECT_EQ(seen,
            (std::vector<std::string>{"y=21.000000", "z=42.000000", "y=21.000000", "z=42.000000"}));
}

// Packed weights that the interpreter keeps give what run_node computes from scratch.
TEST(Interpreter, KeptWeightsChangeNothing) {
  Rng rng(31);
  int compared = 0;
  for (int i = 0; i < 400 && compared < 60; ++i) {
    auto layer = i % 3 == 0   ? random_conv2d(rng)
                 : i % 3 == 1 ? random_depthwise_conv2d(rng)
                              : random_dense(rng);
    if (!layer.ok()) continue;
    ++compared;
    Interpreter interpreter(layer->graph);
    for (int run = 0; run < 2; ++run) {
      layer->operands[0] = layer->inputs[0] =
          random_s8(rng, layer->inputs[0].shape(), *layer->inputs[0].type().quant);
      EXPECT_EQ(interpreter.run(layer->inputs)[0], layer->run());
    }
  }
  EXPECT_EQ(compared, 60);
}

TEST(NodeMacs, CountPaddingTaps) {
  Rng rng(1);
  Conv2d op;
  op.window.pad_top = op.window.pad_bottom = op.window.pad_left = op.window.pad_right = 1;
  Layer conv = valid_layer(op, {random_f32(rng, {1, 8, 8, 4}), random_f32(rng, {16, 3, 3, 4})});
  EXPECT_EQ(node_macs(conv.graph, conv.node()), 8 * 8 * 16 * 3 * 3 * 4);
  Layer depthwise = valid_layer(DepthwiseConv2d{op.window, {}},
                                {random_f32(rng, {1, 8, 8, 4}), random_f32(rng, {1, 3, 3, 8})});
  EXPECT_EQ(node_macs(depthwise.graph, depthwise.node()), 8 * 8 * 8 * 3 * 3);
  Layer dense = valid_layer(Dense{}, {random_f32(rng, {5, 7}), random_f32(rng, {3, 7})});
  EXPECT_EQ(node_macs(dense.graph, dense.node()), 5 * 7 * 3);
}

// What no kernel takes by design is known; all else is.
TEST(KernelsTake, AllButFloatsAndWeightsOfTheHostAlone) {
  Rng rng(4);
  Layer real = valid_layer(Dense{}, {random_f32(rng, {1, 6}), random_f32(rng, {2, 6})});
  EXPECT_FALSE(kernels_take(real.graph, real.node()));

  auto takes = [](QuantParams params, DType dtype) {
    Graph graph;
    const ValueId x = append_input(graph, "x", {{1, 6}, DType::kS8, s8_params(0.1f, 3)});
    Tensor filter(TensorType{{2, 6}, dtype, params});
    for (int64_t i = 0; i < filter.size(); ++i) filter.set_integer_at(i, i - 6);
    const ValueId w = append_constant(graph, "w", filter);
    graph.outputs = {{*append_node(graph, Dense{}, "y", {x, w, kNoValue}, s8_params(0.2f, 0)), {}}};
    const Status sound = verify_graph(graph, VerifyLevel::kQuantized);
    EXPECT_TRUE(sound.ok()) << sound.error().message;
    return kernels_take(graph, graph.nodes[0]);
  };
  const QuantParams plain{{0.1f, 0.2f}, {0, 0}, 0, 8, -128, 127};
  EXPECT_TRUE(takes(plain, DType::kS8));
  QuantParams few = plain;
  few.bits = 5, few.q_min = -16, few.q_max = 15;
  EXPECT_TRUE(takes(few, DType::kS8));
  QuantParams codebook = plain;
  for (int32_t q = -6; q <= 5; ++q) codebook.codebook.push_back(q);
  EXPECT_TRUE(takes(codebook, DType::kS8));
  QuantParams zeros = plain;
  zeros.zero_point = {0, -1};
  EXPECT_FALSE(takes(zeros, DType::kS8));
  QuantParams groups = plain;
  groups.group = 3;
  groups.group_factor = {1, 2, 3, 4};
  EXPECT_FALSE(takes(groups, DType::kS8));
  QuantParams wide = plain;
  wide.bits = 12, wide.q_min = -2048, wide.q_max = 2047;
  EXPECT_FALSE(takes(wide, DType::kS16));

  Graph border;
  const ValueId x = append_input(border, "x", {{4}, DType::kF32, std::nullopt});
  ASSERT_TRUE(append_node(border, Quantize{}, "q", {x}, s8_params(0.1f, 3), DType::kS8).ok());
  EXPECT_TRUE(kernels_take(border, border.nodes[0]));
}

}  // namespace
}  // namespace nibble
