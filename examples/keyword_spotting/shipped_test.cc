// The files that the example ships: shapes, labels, speakers, and the float accuracy that the
// README states.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <regex>

#include "base/file.h"
#include "corpus.h"
#include "formats/formats.h"
#include "front_end.h"
#include "ops/ops.h"
#include "support/shared_data.h"

namespace nibble::kws {
namespace {

std::filesystem::path shipped(const std::string& name) {
  return source_path("examples/keyword_spotting/" + name);
}

std::map<std::string, Tensor> arrays_of(const std::string& name) {
  std::map<std::string, Tensor> result;
  Result<std::vector<NamedTensor>> arrays = read_npz(shipped(name));
  EXPECT_TRUE(arrays.ok()) << arrays.error().message;
  if (arrays.ok())
    for (NamedTensor& array : *arrays) result[array.name] = std::move(array.tensor);
  return result;
}

TEST(Shipped, ArraysHaveTheShapesAndClassesOfTheReadme) {
  for (auto [name, count] : {std::pair{"calibration.npz", 120}, {"test.npz", 720}}) {
    std::map<std::string, Tensor> arrays = arrays_of(name);
    EXPECT_EQ(arrays["x"].shape(), (Shape{count, 1, kFrames, kCoefficients})) << name;
    EXPECT_EQ(arrays["x"].dtype(), DType::kF32) << name;
    ASSERT_EQ(arrays["y"].shape(), Shape{count}) << name;
    std::map<int64_t, int> per_class;
    for (int64_t i = 0; i < count; ++i) ++per_class[arrays["y"].integer_at(i)];
    for (int label = 0; label < static_cast<int>(kLabels.size()); ++label)
      EXPECT_EQ(per_class[label], count / 12) << name << " " << kLabels[label];
  }
}

TEST(Shipped, ManifestNamesEverySampleAndKeepsSpeakersApart) {
  Result<std::vector<ManifestRow>> rows = read_manifest(shipped("manifest.csv"));
  ASSERT_TRUE(rows.ok()) << rows.error().message;
  Status status = check_speakers_disjoint(*rows);
  EXPECT_TRUE(status.ok()) << status.error().message;
  std::map<std::string, int64_t> next;
  std::map<std::string, Tensor> labels = {{"calibration", arrays_of("calibration.npz")["y"]},
                                          {"test", arrays_of("test.npz")["y"]}};
  for (const ManifestRow& row : *rows) {
    ASSERT_TRUE(labels.count(row.file)) << row.file;
    EXPECT_EQ(row.index, next[row.file]++);
    ASSERT_LT(row.index, labels[row.file].size());
    EXPECT_EQ(row.label, kLabels[labels[row.file].integer_at(row.index)]) << row.file << row.index;
  }
  EXPECT_EQ(next["calibration"], labels["calibration"].size());
  EXPECT_EQ(next["test"], labels["test"].size());
}

TEST(Shipped, LabelsFileIsTheTable) {
  Result<std::string> text = read_text_file(shipped("labels.txt"));
  ASSERT_TRUE(text.ok()) << text.error().message;
  std::string expected;
  for (std::string_view label : kLabels) expected += fmt::format("{}\n", label);
  EXPECT_EQ(*text, expected);
}

// The README says "float accuracy NN.NN %".
TEST(Shipped, FloatAccuracyIsThatOfTheReadme) {
  Result<std::string> readme = read_text_file(shipped("README.md"));
  ASSERT_TRUE(readme.ok()) << readme.error().message;
  std::smatch stated;
  ASSERT_TRUE(std::regex_search(*readme, stated, std::regex("float accuracy ([0-9.]+) %")));

  Result<Graph> graph = read_model(shipped("kws.onnx"));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Result<Dataset> data = read_dataset(shipped("test.npz"), *graph);
  ASSERT_TRUE(data.ok()) << data.error().message;
  Interpreter interpreter(*graph);
  int64_t right = 0;
  for (int64_t i = 0; i < data->size(); ++i) {
    Tensor sample = dataset_sample(*data, i, *graph);
    Tensor output = interpreter.run(std::span(&sample, 1))[0];
    auto scores = output.data<float>();
    right += std::max_element(scores.begin(), scores.end()) - scores.begin() == data->labels[i];
  }
  double accuracy = 100.0 * static_cast<double>(right) / static_cast<double>(data->size());
  EXPECT_NEAR(accuracy, std::stod(stated[1]), 0.1);
  EXPECT_GE(accuracy, 90.0);
}

// The front end feeds a network that others trained on MLPerf Tiny's own features: recordings of
// people saying yes and no have to come out as such, which they do not if a window, band edge or
// scale is off.
TEST(FrontEnd, MlperfTinysNetworkUnderstandsItsFeatures) {
  NIBBLE_NEED_SHARED("data/models/mlperf_tiny/kws_dscnn_fp32.tflite");
  NIBBLE_NEED_SHARED("data/eval/speech_wav");
  Result<Graph> graph = read_model(shared_path("data/models/mlperf_tiny/kws_dscnn_fp32.tflite"));
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Interpreter interpreter(*graph);
  for (auto [word, label] : {std::pair{"yes", 9}, {"no", 3}, {"silence", kSilence}}) {
    Result<std::vector<uint8_t>> bytes =
        read_file(shared_path(fmt::format("data/eval/speech_wav/{}_1000ms.wav", word)));
    ASSERT_TRUE(bytes.ok()) << bytes.error().message;
    constexpr size_t kHeaderBytes = 44;
    ASSERT_GE(bytes->size(), kHeaderBytes + 2 * kClipSamples) << word;
    std::vector<float> clip(kClipSamples), features(kFeatures);
    float loudest = 0;
    for (int i = 0; i < kClipSamples; ++i) {
      int16_t sample;
      std::memcpy(&sample, &(*bytes)[kHeaderBytes + 2 * i], sizeof sample);
      clip[i] = sample;
      loudest = std::max(loudest, std::abs(clip[i]));
    }
    // The benchmark scales every recording to full scale.
    for (float& sample : clip) sample /= std::max(loudest, 1.0f);
    FrontEnd().mfcc(clip, features);
    Tensor input = Tensor::of_floats({1, kFrames, kCoefficients, 1}, features);
    Tensor output = interpreter.run(std::span(&input, 1))[0];
    auto scores = output.data<float>();
    EXPECT_EQ(std::max_element(scores.begin(), scores.end()) - scores.begin(), label)
        << word << ": " << fmt::format("{:.3f}", fmt::join(scores, " "));
  }
}

}  // namespace
}  // namespace nibble::kws
