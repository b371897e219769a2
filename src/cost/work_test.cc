#include "cost/work.h"

#include <gtest/gtest.h>

#include "cost/cost.h"
#include "ops/ops.h"

namespace nibble {
namespace {

OpTotals of(const NetworkTotals& totals, CostOp op) { return totals[static_cast<size_t>(op)]; }

ValueId weights(Graph& graph, const std::string& name, Shape shape) {
  return append_constant(graph, name, Tensor(TensorType{std::move(shape), DType::kF32, {}}));
}

// 4x4x2 -> conv 3x3 (8) -> conv 1x1 (4) -> depthwise 3x1 -> sum -> mean -> dense (10) -> softmax
Graph every_kind() {
  Graph graph;
  graph.name = "every_kind";
  ValueId x = append_input(graph, "x", TensorType{{1, 4, 4, 2}, DType::kF32, {}});
  graph.inputs.push_back({x});
  Conv2d conv;
  conv.window.pad_top = conv.window.pad_left = conv.window.pad_bottom = conv.window.pad_right = 1;
  x = *append_node(graph, conv, "conv", {x, weights(graph, "a", {8, 3, 3, 2}), kNoValue});
  x = *append_node(graph, Conv2d{}, "pointwise", {x, weights(graph, "b", {4, 1, 1, 8}), kNoValue});
  DepthwiseConv2d line;
  line.window.pad_top = line.window.pad_bottom = 1;
  x = *append_node(graph, line, "line", {x, weights(graph, "c", {1, 3, 1, 4}), kNoValue});
  x = *append_node(graph, Add{}, "sum", {x, x});
  x = *append_node(graph, Mean{{1, 2}, false}, "mean", {x});
  x = *append_node(graph, Dense{}, "dense", {x, weights(graph, "d", {10, 4}), kNoValue});
  x = *append_node(graph, Softmax{}, "softmax", {x});
  graph.outputs.push_back({x});
  return graph;
}

TEST(Work, CountsEachKindOfLayer) {
  const NetworkTotals totals = network_totals(every_kind());
  EXPECT_EQ(of(totals, CostOp::kConv), (OpTotals{16 * 8 * 9 * 2, 128, 128}));
  EXPECT_EQ(of(totals, CostOp::kPointwise), (OpTotals{16 * 4 * 8, 64, 64}));
  EXPECT_EQ(of(totals, CostOp::kDepthwise), OpTotals{});
  EXPECT_EQ(of(totals, CostOp::kLineDepthwise), (OpTotals{16 * 4 * 3, 64, 64}));
  EXPECT_EQ(of(totals, CostOp::kElementwise), (OpTotals{0, 64, 64}));
  EXPECT_EQ(of(totals, CostOp::kPool), (OpTotals{0, 4, 64}));
  EXPECT_EQ(of(totals, CostOp::kDense), (OpTotals{40, 10, 10}));
  EXPECT_EQ(of(totals, CostOp::kSoftmax), (OpTotals{0, 10, 10}));
}

// The tuned profile of a Cortex-M4, by hand.
TEST(Work, FollowsTheProfile) {
  const KindVector cycles = work(network_totals(every_kind()), CostProfile::kTuned, CostIsa::kDsp);
  EXPECT_NEAR(cycles[0], .975 * 2304 + 19.8 * 128 + 12 * 64, 1e-9);
  EXPECT_NEAR(cycles[1], .947 * 512 + 17.5 * 64 + 3 * 2.617 * 192 + 2.3 * 64, 1e-9);
  EXPECT_NEAR(cycles[2], 1.336 * 40 + 13.5 * 10 + 100 * 10, 1e-9);
}

TEST(Work, IsLinearAndSumsOverLayers) {
  const Graph graph = every_kind();
  for (CostProfile profile : {CostProfile::kTuned, CostProfile::kCmsis, CostProfile::kReference,
                              CostProfile::kCompiled}) {
    for (CostIsa isa :
         {CostIsa::kDsp, CostIsa::kThumb2, CostIsa::kThumb, CostIsa::kMve, CostIsa::kRv32}) {
      KindVector sum{};
      for (const LayerTotals& layer : layer_totals(graph)) {
        const KindVector part = work(layer.totals, profile, isa);
        for (size_t k = 0; k < kCostKinds; ++k) sum[k] += part[k];
      }
      const KindVector whole = work(network_totals(graph), profile, isa);
      for (size_t k = 0; k < kCostKinds; ++k) {
        EXPECT_GT(whole[k], 0);
        EXPECT_NEAR(sum[k], whole[k], 1e-9 * whole[k]);
      }
    }
  }
}

Target part(const std::string& core, std::vector<Isa> isa) {
  Target target;
  target.name = "part";
  target.core = core;
  target.isa = std::move(isa);
  target.clock_hz = 100'000'000;
  return target;
}

TEST(Estimate, OfAPeerHasRangesLayersAndItsErrors) {
  const Graph graph = every_kind();
  const Result<CostEstimate> estimate =
      estimate_peer(graph, graph, part("cortex-m4", {Isa::kThumb2, Isa::kDsp}), "X-CUBE-AI 10.2");
  ASSERT_TRUE(estimate.ok()) << estimate.error().message;
  EXPECT_EQ(estimate->unseen, std::vector<std::string>{"board"});
  const CostFigure& time = estimate->latency_ms;
  EXPECT_LT(time.low95, time.low80);
  EXPECT_LT(time.low80, time.value);
  EXPECT_LT(time.value, time.high80);
  EXPECT_LT(time.high80, time.high95);
  EXPECT_NEAR(time.value * 100e3, estimate->cycles.value, 1e-6 * estimate->cycles.value);
  EXPECT_NEAR(estimate->energy_uj->value, time.value * estimate->power_mw->value,
              1e-9 * estimate->energy_uj->value);
  double sum = 0;
  for (const LayerEstimate& layer : estimate->layers) sum += layer.latency_ms;
  EXPECT_NEAR(sum, time.value, 1e-9 * time.value);
  EXPECT_EQ(estimate->latency_error.of, "cortex-m4");
  EXPECT_NE(estimate->provenance.find("boards left out of the fit"), std::string::npos);
}

TEST(Estimate, UnderstandsEngines) {
  const Graph graph = every_kind();
  const Target m4 = part("cortex-m4", {Isa::kThumb2, Isa::kDsp});
  EXPECT_EQ(estimate_peer(graph, graph, m4, "X-CUBE-AI")->stack, "X-CUBE-AI 10.2");
  const Result<CostEstimate> next = estimate_peer(graph, graph, m4, "X-CUBE-AI 11.0");
  ASSERT_TRUE(next.ok()) << next.error().message;
  EXPECT_EQ(next->unseen, (std::vector<std::string>{"version", "board"}));
  const Target m55 = part("cortex-m55", {Isa::kMve, Isa::kDsp, Isa::kThumb2});
  EXPECT_EQ(estimate_peer(graph, graph, m55, "TFLM + CMSIS-NN")->stack, "TFLM + CMSIS-NN (Helium)");
  const Result<CostEstimate> unknown = estimate_peer(graph, graph, m4, "CubeAI");
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message.find("choose one of: X-CUBE-AI 7.1"), std::string::npos);
}

// Kernels for other instructions have no figure, and the error names what does run there.
TEST(Estimate, EnginesRunOnTheirOwnCores) {
  const Graph graph = every_kind();
  const struct {
    const char* core;
    std::vector<Isa> isa;
    std::vector<std::string> there, elsewhere;
  } kParts[] = {
      {"cortex-m4",
       {Isa::kThumb2, Isa::kDsp},
       {"TFLM + CMSIS-NN", "X-CUBE-AI 10.2", "TFLM 2.3.1 reference"},
       {"TFLM + CMSIS-NN (Helium)", "TFLM + CMSIS-NN (RX)", "TFLM + Andes NN", "kai_jiang"}},
      {"cortex-m55",
       {Isa::kMve, Isa::kDsp, Isa::kThumb2},
       {"TFLM + CMSIS-NN (Helium)", "Plumerai 1.0"},
       {"TFLM + CMSIS-NN (RX)", "kai_jiang"}},
      {"rxv2", {}, {"TFLM + CMSIS-NN (RX)", "microTVM native"}, {"X-CUBE-AI", "TFLM + CMSIS-NN"}},
      {"andes-d45", {Isa::kRv32}, {"TFLM + Andes NN", "kai_jiang"}, {"ONNC", "TFLM + CMSIS-NN"}},
      {"rv32imac", {Isa::kRv32}, {"kai_jiang"}, {"TFLM + Andes NN", "X-CUBE-AI 9.9"}}};
  for (const auto& each : kParts) {
    const Target target = part(each.core, each.isa);
    for (const std::string& engine : each.there) {
      EXPECT_TRUE(estimate_peer(graph, graph, target, engine).ok()) << engine << each.core;
      EXPECT_TRUE(check_peer(engine, &target).ok());
    }
    for (const std::string& engine : each.elsewhere) {
      const auto found = estimate_peer(graph, graph, target, engine);
      ASSERT_FALSE(found.ok()) << engine << " on " << each.core;
      EXPECT_NE(found.error().message.find("' runs on "), std::string::npos);
      EXPECT_NE(found.error().message.find("there run: "), std::string::npos);
      EXPECT_FALSE(check_peer(engine, &target).ok());
      EXPECT_TRUE(check_peer(engine, nullptr).ok());
    }
    for (const std::string& engine : peer_stacks(target))
      EXPECT_TRUE(estimate_peer(graph, graph, target, engine).ok()) << engine << each.core;
  }
  // Every engine stands in the text once, with the cores it is for.
  for (const std::string& engine : peer_stacks())
    EXPECT_NE(peer_stacks_text().find(engine), std::string::npos);
  EXPECT_NE(peer_stacks_text().find("Renesas RX: TFLM + CMSIS-NN (RX)"), std::string::npos);
}

TEST(Estimate, RefusesWhatItKnowsNothingOf) {
  const Graph graph = every_kind();
  Target target = part("xtensa-lx7", {});
  EXPECT_NE(estimate_peer(graph, graph, target, "ONNC").error().message.find("xtensa-lx7"),
            std::string::npos);
  target = part("cortex-m4", {Isa::kThumb2, Isa::kDsp});
  target.clock_hz = 0;
  EXPECT_NE(estimate_peer(graph, graph, target, "ONNC").error().message.find("no clock"),
            std::string::npos);
  EXPECT_NE(estimate_cost({}, target).error().message.find("no clock"), std::string::npos);
}

// Ruled cycles of a Cortex-M4, 1.12 for what rules leave out; the fitted effect of the core is 1.
TEST(Estimate, OfNibbleFollowsStaticCycles) {
  Program program;
  program.calls.resize(2);
  program.calls[0].cycles = 3'000'000;
  program.calls[1].cycles = 1'000'000;
  Target target = part("cortex-m4", {Isa::kThumb2, Isa::kDsp});
  const Result<CostEstimate> estimate = estimate_cost(program, target);
  ASSERT_TRUE(estimate.ok()) << estimate.error().message;
  EXPECT_NEAR(estimate->latency_ms.value, 4e6 * 1.12 / 100e3, 0.5);
  EXPECT_NEAR(estimate->layers[0].latency_ms, 3 * estimate->layers[1].latency_ms, 1e-9);
  EXPECT_NE(estimate->provenance.find("not been timed on hardware"), std::string::npos);
  // Half of the waits of flash outside the part: 4e5 words of 10 cycles.
  target.flash_wait_cycles = 10;
  const Result<CostEstimate> waiting = estimate_cost(program, target, {1.6e6});
  EXPECT_NEAR(waiting->cycles.value / estimate->cycles.value, (4e6 + 2e6) / 4e6, 1e-9);
}

}  // namespace
}  // namespace nibble
