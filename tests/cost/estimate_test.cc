// Estimates of real networks on parts of the catalogue.
#include <gtest/gtest.h>

#include <cmath>

#include "cost/cost.h"
#include "cost_data.h"
#include "lower/lower.h"
#include "support/shared_data.h"

namespace nibble {
namespace {

constexpr const char* kKeywords = "data/models/mlperf_tiny/kws_dscnn_int8.tflite";

Graph keywords() {
  Graph graph = *read_model(shared_path(kKeywords));
  EXPECT_TRUE(simplify(graph).ok());
  return graph;
}

void expect_sound(const CostFigure& figure, const std::string& what) {
  EXPECT_TRUE(std::isfinite(figure.high95)) << what;
  EXPECT_LT(0, figure.low95) << what;
  EXPECT_LT(figure.low95, figure.low80) << what;
  EXPECT_LT(figure.low80, figure.value) << what;
  EXPECT_LT(figure.value, figure.high80) << what;
  EXPECT_LT(figure.high80, figure.high95) << what;
}

// MLPerf Tiny v1.3 has 43.4 ms and 1.43 mJ on the L4R5 (external regulator), 28.8 ms and 664 uJ on
// the U575, both of X-CUBE-AI 10.2; these rows are in the fit.
TEST(CostEstimate, OfAPeerIsNearWhatWasPublished) {
  NIBBLE_NEED_SHARED(kKeywords);
  const Graph graph = keywords();
  struct Published {
    const char* target;
    double ms, uj;
  };
  for (const auto& [name, ms, uj] :
       {Published{"stm32l4r5", 43.4, 1430}, Published{"stm32u575", 28.8, 664}}) {
    const Result<CostEstimate> estimate =
        estimate_peer(graph, graph, *find_target(name), "X-CUBE-AI 10.2");
    ASSERT_TRUE(estimate.ok()) << estimate.error().message;
    EXPECT_TRUE(estimate->unseen.empty()) << name;
    EXPECT_NEAR(estimate->latency_ms.value / ms, 1, .2) << name;
    EXPECT_NEAR(estimate->energy_uj->value / uj, 1, .25) << name;
  }
}

TEST(CostEstimate, IsSoundOrSaysWhyNotForTheWholeCatalogue) {
  NIBBLE_NEED_SHARED(kKeywords);
  const Graph graph = keywords();
  int estimated = 0;
  const Result<std::vector<Target>> targets = all_targets();
  ASSERT_TRUE(targets.ok()) << targets.error().message;
  for (const Target& target : *targets) {
    const Result<CostEstimate> estimate = estimate_peer(graph, graph, target, "TFLM + CMSIS-NN");
    if (!estimate.ok()) {
      EXPECT_NE(estimate.error().message.find(target.name), std::string::npos);
      continue;
    }
    ++estimated;
    expect_sound(estimate->latency_ms, target.name);
    ASSERT_TRUE(estimate->energy_uj) << target.name;
    expect_sound(*estimate->energy_uj, target.name);
  }
  EXPECT_GT(estimated, 80);
}

// nibble's own code comes out faster than the best published engine, and names its evidence.
TEST(CostEstimate, OfNibbleStandsOnItsStaticCycles) {
  NIBBLE_NEED_SHARED(kKeywords);
  const Graph graph = keywords();
  const Target target = *find_target("stm32l4r5");
  const Result<Program> program = lower(graph, lower_options(target));
  ASSERT_TRUE(program.ok()) << program.error().message;
  const Result<CostEstimate> estimate = estimate_cost(*program, target);
  ASSERT_TRUE(estimate.ok()) << estimate.error().message;
  double ruled = 0;
  for (const KernelCall& call : program->calls) ruled += static_cast<double>(call.cycles);
  EXPECT_NEAR(estimate->cycles.value / (1.12 * ruled), 1, .01);
  expect_sound(estimate->latency_ms, "nibble");
  EXPECT_EQ(estimate->layers.size(), program->calls.size());
  const Result<CostEstimate> peer = estimate_peer(graph, graph, target, "X-CUBE-AI 10.2");
  EXPECT_LT(estimate->latency_ms.value, peer->latency_ms.value);
}

// Layers in bands keep their names, and the group's cycles are shared among them.
TEST(CostEstimate, LayersInBandsAreNamedOneByOne) {
  Program program;
  KernelCall group;
  group.layer = "a .. b";
  group.cycles = 1100;
  for (const auto& [name, cycles] : {std::pair("a", 250), std::pair("b", 750)}) {
    KernelCall member;
    member.layer = name;
    member.op = "conv2d";
    member.cycles = cycles;
    group.members.push_back(member);
  }
  program.calls.push_back(group);
  const Result<CostEstimate> estimate = estimate_cost(program, *find_target("stm32l4r5"));
  ASSERT_TRUE(estimate.ok()) << estimate.error().message;
  ASSERT_EQ(estimate->layers.size(), 2u);
  EXPECT_EQ(estimate->layers[0].name, "a");
  EXPECT_NEAR(estimate->layers[0].latency_ms / estimate->latency_ms.value, .25, 1e-9);
  EXPECT_NEAR(estimate->layers[1].latency_ms / estimate->latency_ms.value, .75, 1e-9);
}

// Reads of flash inside a part count where the fit does not know the board.
TEST(CostEstimate, FlashWaitsCountOnUnseenBoards) {
  Program program;
  KernelCall call;
  call.layer = call.op = "dense";
  call.cycles = 1'000'000;
  program.calls.push_back(call);
  const Target known = *find_target("stm32l4r5");
  Target unseen = known;
  unseen.name = "nobody";
  CostQuery reads;
  reads.flash_read_bytes = 4e6;
  EXPECT_DOUBLE_EQ(estimate_cost(program, known, reads)->cycles.value,
                   estimate_cost(program, known)->cycles.value);
  const double plain = estimate_cost(program, unseen)->cycles.value;
  // A million words, half of whose waits are seen.
  EXPECT_NEAR(estimate_cost(program, unseen, reads)->cycles.value / plain,
              1 + .5 * unseen.flash_wait_cycles, 1e-9);
}

}  // namespace
}  // namespace nibble
