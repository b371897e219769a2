// Groups of layers that run band by band, through the whole chain on each core: any group that can
// be, with bands of any height, dst over its source as far as the group says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chain/chain.h"
#include "chain/chain_targets.h"
#include "chain/random_chains.h"
#include "chain/random_layers.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "passes/passes.h"
#include "support/overlapping_plan.h"
#include "support/shared_data.h"
#include "support/test_name.h"

namespace nibble {
namespace {

using testing::HasSubstr;

constexpr int kChains = 8, kLayers = 5;

int graphs_wanted() {
  constexpr int kPerGraph = kChains * kLayers;
  return std::max(1, random_layers_wanted(2 * kPerGraph) / kPerGraph);
}

size_t group_count(const Program& program) {
  return static_cast<size_t>(std::ranges::count_if(
      program.calls, [](const KernelCall& call) { return !call.members.empty(); }));
}

ChainOptions banded(uint64_t seed, size_t* groups) {
  ChainOptions options;
  options.planner = [seed, groups](Program& program) {
    draw_groups(program, seed);
    if (groups) *groups += group_count(program);
    Result<Program> again = parse_program(print_program(program));
    EXPECT_TRUE(again.ok() && *again == program);
    return seed % 2 ? overlapping_plan(program) : plan(program);
  };
  options.target_samples = 2;
  return options;
}

class ChainLayersInBands : public testing::TestWithParam<ChainCore> {};

TEST_P(ChainLayersInBands, RandomChainsHold) {
  NIBBLE_NEED_CORE(GetParam());
  size_t groups = 0;
  for (int i = 0; i < graphs_wanted(); ++i) {
    const auto seed = static_cast<uint64_t>(i + 1);
    Graph graph = RandomChains(seed).build(kChains, kLayers);
    ChainOptions options = banded(seed, &groups);
    options.targets = chain_targets(GetParam());
    options.draw_seed = seed % 3 == 0 ? 0 : seed;
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 2, seed), options);
    ASSERT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
  }
  EXPECT_GT(groups, 0u);
}

// Images of one row, as 1-D convolutions make them, stated as images of one column: in bands, too,
// what the layers compute as they were.
TEST_P(ChainLayersInBands, OneRowTurnedToOneColumnHolds) {
  NIBBLE_NEED_CORE(GetParam());
  size_t groups = 0;
  int turned_layers = 0;
  for (int i = 0; i < std::max(1, graphs_wanted() / 2); ++i) {
    const auto seed = static_cast<uint64_t>(i + 1);
    const Graph graph = RandomChains(seed, ChainImages::kOneRow).build(kChains, kLayers);
    Graph turned = graph;
    turned_layers += turn_lines(turned, OneLine::kColumn);
    Status verified = verify_graph(turned, VerifyLevel::kQuantized);
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    const auto samples = random_samples(graph, 2, seed);
    ChainOptions options = banded(seed, &groups);
    options.targets = chain_targets(GetParam());
    options.draw_seed = seed % 3 == 0 ? 0 : seed;
    Result<ChainReport> report = check_chain(turned, samples, options);
    ASSERT_TRUE(report.ok()) << "seed " << seed << ": " << report.error().message;
    Graph back = turned;
    EXPECT_GT(turn_lines(back, OneLine::kRow), 0);
    Interpreter interpreter(graph), turned_back(back);
    for (size_t s = 0; s < samples.size(); ++s) {
      const std::vector<Tensor> expected = interpreter.run(samples[s]);
      EXPECT_EQ(turned_back.run(samples[s]), expected) << "seed " << seed;
      for (size_t k = 0; k < expected.size(); ++k) {
        EXPECT_EQ(report->outputs[s][k].type().shape, expected[k].type().shape);
        EXPECT_TRUE(std::ranges::equal(report->outputs[s][k].bytes(), expected[k].bytes()))
            << "seed " << seed << ", output " << k;
      }
    }
  }
  EXPECT_GT(groups, 0u);
  EXPECT_GT(turned_layers, kChains);
}

std::vector<ChainCore> all_cores() {
  std::vector<ChainCore> cores = other_cores();
  cores.push_back(cortex_m4());
  return cores;
}

INSTANTIATE_TEST_SUITE_P(Cores, ChainLayersInBands, testing::ValuesIn(all_cores()),
                         [](const auto& instance) { return test_name(instance.param.core); });

// Real models in the smallest arena that groups can give them, and in one between: the outputs are
// those of the layers one after the other, on the core, too.
struct BandedModel {
  std::string name;
  int64_t most_bytes;  // of the arena
};

void PrintTo(const BandedModel& model, std::ostream* out) { *out << model.name; }

class ChainModelInBands : public testing::TestWithParam<BandedModel> {};

TEST_P(ChainModelInBands, HoldsInLittleRamOnTarget) {
  const std::string path = "data/models/mlperf_tiny/" + GetParam().name + ".tflite";
  NIBBLE_NEED_SHARED(path);
  NIBBLE_NEED_CORE(cortex_m4());
  Result<Graph> graph = read_model(shared_path(path));
  ASSERT_TRUE(graph.ok() && simplify(*graph).ok());
  for (const int64_t arena_bytes : {GetParam().most_bytes, int64_t{1}}) {
    size_t groups = 0;
    int64_t planned_bytes = 0;
    ChainOptions options;
    options.sanitized = arena_bytes > 1;
    options.targets = chain_targets();
    options.target_samples = 1;
    options.planner = [&](Program& program) -> Result<MemoryPlan> {
      BandOptions bands;
      bands.arena_bytes = arena_bytes;
      NIBBLE_ASSIGN(BandPlans plans, BandPlans::of(program));
      NIBBLE_ASSIGN(Planned planned, plans.plan(bands));
      program = std::move(planned.program);
      groups = group_count(program);
      planned_bytes = planned.plan.arena_bytes;
      return std::move(planned.plan);
    };
    Result<ChainReport> report = check_chain(*graph, random_samples(*graph, 1, 3), options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_GT(groups, 0u);
    EXPECT_LE(planned_bytes, GetParam().most_bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ChainModelInBands,
                         testing::Values(BandedModel{"ic_resnet8_int8", 26 << 10},
                                         BandedModel{"vww_mobilenetv1_int8", 34 << 10},
                                         BandedModel{"ic_resnet8_large_int8", 60 << 10}),
                         [](const auto& instance) { return test_name(instance.param.name); });

// The first layer that differs is named although it is a member of a group.
// Makes a layer's outputs -100.
void spoil(Library& library, const std::string& layer) {
  for (EmittedFile& file : library.files) {
    const size_t args = file.text.find("nibble_conv2d_s8_args " + library.name + "_" + layer);
    if (args == std::string::npos) continue;
    const size_t end = file.text.find("/* act_max */", args);
    const size_t begin = file.text.rfind('\n', end);
    file.text.replace(begin, end - begin, "\n    -100, ");
    const size_t low = file.text.rfind("/* act_min */", begin + 8);
    const size_t line = file.text.rfind('\n', low);
    file.text.replace(line, low - line, "\n    -100, ");
  }
}

TEST(ChainBands, TheMemberThatDiffersIsNamed) {
  Graph graph = RandomChains(4).build(kChains, kLayers);
  std::vector<std::string> members;
  ChainOptions options;
  options.planner = [&](Program& program) {
    draw_groups(program, 2);
    members.clear();
    for (const KernelCall& call : program.calls)
      for (size_t i = 0; i + 1 < call.members.size(); ++i)
        if (call.members[i].op == "conv2d") members.push_back(call.members[i].layer);
    return plan(program);
  };
  ASSERT_TRUE(check_chain(graph, random_samples(graph, 1, 4), options).ok());
  ASSERT_FALSE(members.empty());
  // A layer whose weights are zeros may hide what comes before it.
  size_t found = 0;
  for (const std::string& spoiled : std::vector<std::string>(members)) {
    options.tamper = [&](Library& library) { spoil(library, spoiled); };
    Result<ChainReport> report = check_chain(graph, random_samples(graph, 1, 4), options);
    if (report.ok()) continue;
    EXPECT_THAT(report.error().message, HasSubstr("layer \"" + spoiled + "\""));
    if (++found == 3) break;
  }
  EXPECT_EQ(found, 3u);
}

}  // namespace
}  // namespace nibble
