// Learning after quantization: what is asked for is done, and an interrupted run goes on to the
// same integers.
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "pipeline/pipeline.h"
#include "support/float_network.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

class LearnQuantized : public testing::Test {
 protected:
  void SetUp() override {
    if (const Status found = check_train(); !found.ok())
      GTEST_SKIP() << "left out: learning (" << found.error().message << ")";
    Rng rng(5);
    for (int i = 0; i < 12; ++i)
      samples_.push_back(random_tensor(real_.type(real_.inputs[0].value).shape, -1, 1, rng));
    options_.all.weights.bits = 3;
    options_.method_options.learn_steps = 20;
  }
  Result<Graph> learned() const {
    return learn_quantized(
        real_, {12, [this](int64_t i) { return samples_[static_cast<size_t>(i)]; }}, options_);
  }

  Graph real_ = uneven_network(3);
  std::vector<Tensor> samples_;
  QuantizeOptions options_;
};

TEST_F(LearnQuantized, GoesOnFromACheckpointToTheSameIntegers) {
  options_.methods = {Method::kAdaRound, Method::kBrecq};
  const Result<Graph> whole = learned();
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  const Result<TempDir> folder = TempDir::create();
  ASSERT_TRUE(folder.ok());
  const fs::path state = folder->path() / "state", kept = folder->path() / "kept";
  options_.method_options.checkpoint = state.string();
  ASSERT_TRUE(learned().ok());
  // The last state names both methods as done; each earlier one is what an interruption leaves.
  options_.method_options.checkpoint = kept.string();
  fs::copy(state, kept);
  const Result<Graph> done = learned();
  ASSERT_TRUE(done.ok()) << done.error().message;
  EXPECT_EQ(print_graph(*done), print_graph(*whole));
  int files = 0;
  for (const auto& entry : fs::directory_iterator(state)) files += entry.exists();
  EXPECT_EQ(files, 2);  // the state and its graph
}

TEST_F(LearnQuantized, AnotherSeedIsAnotherRun) {
  options_.methods = {Method::kAdaRound};
  const Result<TempDir> folder = TempDir::create();
  ASSERT_TRUE(folder.ok());
  options_.method_options.checkpoint = (folder->path() / "state").string();
  ASSERT_TRUE(learned().ok());
  options_.seed = 2;
  const Result<Graph> other = learned();
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("is of another run"), std::string::npos);
}

TEST_F(LearnQuantized, LearnsRangesWhereSettingsSaySo) {
  options_.all.activations.bits = 4;
  options_.all.activations.calibrator = Calibrator::kMse;
  const Graph start = *learned();
  options_.all.activations.calibrator = Calibrator::kLearned;
  const Graph all = *learned();
  EXPECT_NE(print_graph(all), print_graph(start));
  options_.all.activations.calibrator = Calibrator::kMse;
  options_.rules = {{{"c1"}, {}, {{"calibrator", "learned"}}, false}};
  const Graph one = *learned();
  for (size_t v = 0; v < start.values.size(); ++v) {
    const Value &before = start.values[v], &after = one.values[v];
    if (before.name == start.value(start.nodes[0].outputs[0]).name) continue;
    if (before.constant) continue;
    EXPECT_EQ(before.type, after.type) << before.name;
  }
}

}  // namespace
}  // namespace nibble
