// Learning after quantization: what is asked for is done, and an interrupted run goes on to the
// same integers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "base/text.h"
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
  Result<Graph> learned(QuantizeReport* report = nullptr) const {
    return learn_quantized(real_,
                           {12, [this](int64_t i) { return samples_[static_cast<size_t>(i)]; }},
                           options_, report);
  }
  static std::vector<std::string> texts_of(const std::vector<LearnedMethod>& learned) {
    std::vector<std::string> texts;
    for (const LearnedMethod& method : learned)
      for (const LearnedPart& part : method.parts)
        texts.push_back(fmt::format("{} {} {} {}", method.name, part.nodes,
                                    format_double(part.before), format_double(part.after)));
    return texts;
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

// Wherever learning is stopped: what was done is kept, and the same call ends with the integers and
// the errors of a run that nothing stopped.
TEST_F(LearnQuantized, GoesOnWhereItWasStopped) {
  options_.methods = {Method::kAdaRound, Method::kBrecq};
  options_.all.activations.calibrator = Calibrator::kLearned;
  QuantizeReport whole_report;
  const Result<Graph> whole = learned(&whole_report);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  ASSERT_EQ(whole_report.learned.size(), 3u);
  for (int method = 0; method < 2; ++method) {
    const size_t blocks = whole_report.learned[static_cast<size_t>(method) + 1].parts.size();
    ASSERT_GE(blocks, 2u);
    for (size_t block = 1; block <= blocks; block += 2) {
      SCOPED_TRACE(fmt::format("method {} block {}", method, block));
      const Result<TempDir> folder = TempDir::create();
      ASSERT_TRUE(folder.ok());
      options_.method_options.checkpoint = folder->path().string();
      // A folder that has the name of the state after this block: it cannot be written.
      const fs::path obstacle = folder->path() / fmt::format("after_{}_{}.nibble", method, block);
      fs::create_directories(obstacle / "full");
      ASSERT_FALSE(learned().ok());
      fs::remove_all(obstacle);
      ASSERT_TRUE(fs::exists(folder->path() / "state.json"));
      QuantizeReport report;
      const Result<Graph> rest = learned(&report);
      ASSERT_TRUE(rest.ok()) << rest.error().message;
      EXPECT_EQ(print_graph(*rest), print_graph(*whole));
      EXPECT_EQ(texts_of(report.learned), texts_of(whole_report.learned));
    }
  }
}

TEST_F(LearnQuantized, ReportsHowEachBlockEndedAndHowLongItTook) {
  options_.methods = {Method::kEqualize, Method::kGptq, Method::kAdaRound};
  QuantizeReport report;
  ASSERT_TRUE(learned(&report).ok());
  ASSERT_EQ(report.learned.size(), 1u);
  EXPECT_EQ(report.learned[0].name, "adaround");
  std::vector<std::string> layers, stages;
  for (const LearnedPart& part : report.learned[0].parts) {
    layers.push_back(part.nodes);
    EXPECT_LE(part.after, part.before) << part.nodes;
    EXPECT_EQ(part.kept(), part.after == part.before);
  }
  EXPECT_EQ(layers, (std::vector<std::string>{"c1", "d2", "p3", "f4", "f5"}));
  for (const StageTime& stage : report.times) {
    stages.push_back(stage.name);
    EXPECT_GE(stage.seconds, 0) << stage.name;
  }
  EXPECT_EQ(stages, (std::vector<std::string>{"equalize", "calibration", "layer inputs", "gptq",
                                              "adaround"}));
}

TEST_F(LearnQuantized, OtherCalibrationIsAnotherRun) {
  options_.methods = {Method::kAdaRound};
  const Result<TempDir> folder = TempDir::create();
  ASSERT_TRUE(folder.ok());
  options_.method_options.checkpoint = (folder->path() / "state").string();
  ASSERT_TRUE(learned().ok());
  options_.all.activations.calibrator = Calibrator::kMovingAverage;
  const Result<Graph> other = learned();
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("is of another run"), std::string::npos);
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
