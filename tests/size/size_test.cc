// What generated libraries cost on every emulated core, against bench/recorded.json: a change that
// makes instructions, code, weights, arena or stack worse shows here, and one that makes them
// better is recorded.
//   build/bench/nibble_cost_table --record      writes the file anew
#include <gtest/gtest.h>

#include "chain/chain_targets.h"
#include "model_cost.h"
#include "support/shared_data.h"
#include "support/test_name.h"
#include "support/tools.h"

namespace nibble {

void PrintTo(const RecordedModel& model, std::ostream* out) { *out << model.key; }

namespace {

using Json = nlohmann::ordered_json;

const Json& recorded() {
  static const Json record = Json::parse(*read_text_file(source_path("bench/recorded.json")));
  return record;
}

struct Case {
  RecordedModel model;
  ChainCore core;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.model.key << " on " << c.core.target; }

std::vector<Case> cases() {
  std::vector<ChainCore> cores = {cortex_m4()};
  cores.insert(cores.end(), other_cores().begin(), other_cores().end());
  std::vector<Case> list;
  for (const RecordedModel& model : cost_models())
    for (const ChainCore& core : cores) list.push_back({model, core});
  return list;
}

class RecordedCost : public testing::TestWithParam<Case> {};

TEST_P(RecordedCost, IsHeldOnTarget) {
  const auto& [model, core] = GetParam();
  if (!model.file.empty()) NIBBLE_NEED_SHARED("data/models/" + model.file);
  NIBBLE_NEED_CORE(core);
  Result<Target> target = find_target(core.target);
  ASSERT_TRUE(target.ok()) << target.error().message;
  ASSERT_TRUE(recorded().contains(core.target)) << core.target << " is not recorded";
  const Json& record = recorded()[core.target];
  const std::string compiler = compiler_version(compiler_of(*target));
  if (record["compiler"] != compiler)
    GTEST_SKIP() << "left out: recorded with " << record["compiler"] << ", here is " << compiler;
  Result<Graph> graph = cost_graph(model, shared_path("."));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Result<RunResult> run = measure_cost(*graph, *target, model.key);
  ASSERT_TRUE(run.ok()) << run.error().message;
  const Json figures = cost_figures(*run);
  for (const auto& [name, figure] : figures.items()) {
    ASSERT_TRUE(record[model.key].contains(name)) << name << " is not recorded";
    const auto now = figure.get<double>(), then = record[model.key][name].get<double>();
    // Two parts in a hundred; a few bytes of stack are the compiler's mood.
    const double margin = std::max(0.02 * then, 16.0);
    EXPECT_LE(now, then + margin) << name << ": worse than recorded by more than 2 %";
    EXPECT_GE(now, then - margin)
        << name << ": better than recorded by more than 2 %: record it, so that it stays so "
        << "(build/bench/nibble_cost_table --record)";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, RecordedCost, testing::ValuesIn(cases()),
                         [](const auto& cost_case) {
                           return test_name(cost_case.param.model.key + "_" +
                                            cost_case.param.core.core);
                         });

// What estimates say of flash before anything is compiled.
TEST(PredictedFlash, IsNearWhatWasLinked) {
  const std::vector<Case> all = cases();
  for (const auto& [model, core] : all) {
    if (!model.file.empty()) NIBBLE_NEED_SHARED("data/models/" + model.file);
    Result<Target> target = find_target(core.target);
    Result<Graph> graph = cost_graph(model, shared_path("."));
    ASSERT_TRUE(target.ok() && graph.ok());
    Result<Planned> planned = lower_and_plan(*graph, *target, {});
    ASSERT_TRUE(planned.ok()) << planned.error().message;
    const Json& record = recorded()[core.target][model.key];
    const double linked =
        record["code_bytes"].get<double>() + record["weights_bytes"].get<double>();
    const auto predicted =
        static_cast<double>(predicted_code_bytes(planned->program, lower_options(*target)) +
                            flash_data_bytes(planned->program));
    EXPECT_NEAR(predicted, linked, std::max(.025 * linked, 600.0))
        << model.key << " on " << core.core;
  }
}

class OptimizeChoice : public testing::TestWithParam<RecordedModel> {};

// What the user asks for is what the core shows: more flash buys speed, and the other way round.
TEST_P(OptimizeChoice, TradesFlashForSpeedOnTarget) {
  const RecordedModel& model = GetParam();
  if (!model.file.empty()) NIBBLE_NEED_SHARED("data/models/" + model.file);
  NIBBLE_NEED_CORE(cortex_m4());
  Result<Target> target = find_target(cortex_m4().target);
  ASSERT_TRUE(target.ok()) << target.error().message;
  Result<Graph> graph = cost_graph(model, shared_path("."));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  std::vector<RunResult> runs;
  for (Optimize optimize : {Optimize::kSpeed, Optimize::kBalanced, Optimize::kSize}) {
    Result<RunResult> run = measure_cost(*graph, *target, model.key, optimize);
    ASSERT_TRUE(run.ok()) << run.error().message;
    runs.push_back(std::move(*run));
  }
  for (size_t i = 1; i < runs.size(); ++i) {
    EXPECT_LE(runs[i - 1].instructions_per_inference, runs[i].instructions_per_inference);
    EXPECT_GE(runs[i - 1].flash.total, runs[i].flash.total);
  }
  EXPECT_LT(runs.front().instructions_per_inference, runs.back().instructions_per_inference);
  EXPECT_GT(runs.front().flash.total, runs.back().flash.total);
}

INSTANTIATE_TEST_SUITE_P(Models, OptimizeChoice, testing::ValuesIn(cost_models()),
                         [](const auto& model) { return test_name(model.param.key); });

}  // namespace
}  // namespace nibble
