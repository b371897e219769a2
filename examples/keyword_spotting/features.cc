// kws_features: the files that the demo calibrates and tests with. OUT/calibration.npz,
// OUT/test.npz (x: MFCC in the model's layout, y: class), OUT/manifest.csv (where each sample comes
// from) and OUT/labels.txt.
#include <fmt/format.h>

#include <cstdio>

#include "base/file.h"
#include "formats/formats.h"
#include "options.h"
#include "samples.h"

namespace nibble::kws {
namespace {

constexpr int kCalibrationPerClass = 10;

Status write_set(const FeatureSet& set, const std::filesystem::path& path) {
  auto count = static_cast<int64_t>(set.size());
  std::printf("%s: %lld samples\n", path.c_str(), static_cast<long long>(count));
  return write_npz(path, {{"x", Tensor::of_floats({count, 1, kFrames, kCoefficients}, set.x)},
                          {"y", Tensor::of<int64_t>({count}, DType::kS64, set.y)}});
}

Status write_features(const Options& options) {
  NIBBLE_ASSIGN(Samples samples, Samples::read(options.corpus, options.seed));
  FeatureSet calibration = samples.calibration_set(kCalibrationPerClass);
  FeatureSet test = samples.test_set();
  std::vector<ManifestRow> rows = calibration.rows;
  rows.insert(rows.end(), test.rows.begin(), test.rows.end());
  NIBBLE_TRY(check_speakers_disjoint(rows));
  NIBBLE_TRY(write_set(calibration, options.out / "calibration.npz"));
  NIBBLE_TRY(write_set(test, options.out / "test.npz"));
  NIBBLE_TRY(write_text_file(options.out / "manifest.csv", format_manifest(rows)));
  std::string labels;
  for (std::string_view label : kLabels) labels += fmt::format("{}\n", label);
  return write_text_file(options.out / "labels.txt", labels);
}

}  // namespace
}  // namespace nibble::kws

int main(int argc, char** argv) {
  return nibble::kws::run_main(argc, argv, "kws_features", nibble::kws::write_features);
}
