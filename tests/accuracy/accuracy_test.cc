// What quantization may cost: nibble's own int8 (min-max, calibrated on the calibration part) of
// each float model, against the float model, over the whole labelled evaluation part.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "benchmark_models.h"
#include "support/shared_data.h"
#include "support/test_name.h"

namespace nibble {

void PrintTo(const ModelPair& pair, std::ostream* out) { *out << pair.real; }

namespace {

std::vector<ModelPair> labelled_pairs() {
  std::vector<ModelPair> pairs = benchmark_pairs();
  std::erase_if(pairs, [](const ModelPair& pair) { return pair.data.labels.empty(); });
  return pairs;
}

int64_t correct(const Score& score) {
  return std::llround(score.value * static_cast<double>(score.samples));
}

class OwnInt8 : public testing::TestWithParam<ModelPair> {};

TEST_P(OwnInt8, SlowWholeSetIsWithinHalfAPointOfFloat) {
  const ModelPair& pair = GetParam();
  NIBBLE_NEED_SHARED("data/models/" + pair.real);
  Result<Graph> real = import_model(shared_path("data/models/" + pair.real));
  ASSERT_TRUE(real.ok()) << real.error().message;
  Result<Graph> own = own_int8(shared_path(""), pair, *real, Calibrator::kMinMax);
  ASSERT_TRUE(own.ok()) << own.error().message;
  Result<Score> in_float = score_on_task(shared_path(""), pair, *real);
  Result<Score> in_int8 = score_on_task(shared_path(""), pair, *own);
  ASSERT_TRUE(in_float.ok()) << in_float.error().message;
  ASSERT_TRUE(in_int8.ok()) << in_int8.error().message;
  ASSERT_EQ(in_float->metric, "accuracy");
  ASSERT_EQ(in_int8->samples, in_float->samples);
  EXPECT_GT(in_float->value, 0.7);
  // Half a point, in whole samples. One of visual wake words' 122 samples is more than that; it is
  // allowed one.
  int64_t allowed = in_float->samples / 200 + (pair.task == "vww" ? 1 : 0);
  int64_t lost = correct(*in_float) - correct(*in_int8);
  fmt::print("{}: float {:.2f} %, own int8 {:.2f} %, {} of {} samples lost, {} allowed\n",
             pair.real, 100 * in_float->value, 100 * in_int8->value, lost, in_float->samples,
             allowed);
  EXPECT_LE(lost, allowed);
}

INSTANTIATE_TEST_SUITE_P(Models, OwnInt8, testing::ValuesIn(labelled_pairs()),
                         [](const auto& pair) { return test_name(pair.param.real); });

}  // namespace
}  // namespace nibble
