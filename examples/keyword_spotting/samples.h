// The corpus as features: fixed sets for test, validation and calibration, and endlessly fresh ones
// for training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "corpus.h"
#include "front_end.h"
#include "mix.h"

namespace nibble::kws {

struct FeatureSet {
  std::vector<float> x;  // samples x kFrames x kCoefficients
  std::vector<int64_t> y;
  std::vector<ManifestRow> rows;  // one per sample
  size_t size() const { return y.size(); }
};

class Samples {
 public:
  // Reads what kws_generate wrote with the same seed.
  static Result<Samples> read(const std::filesystem::path& corpus, uint64_t seed);

  // Shuffled. Test and validation: every utterance of the split once, and `per_class` clips of
  // silence.
  FeatureSet test_set() const;
  FeatureSet validation_set() const;
  // `per_class` clips of each class, of training speakers under training conditions.
  FeatureSet calibration_set(int per_class) const;
  // Every utterance of the training speakers once, `silence` clips without a word, all mixed anew.
  FeatureSet training_set(int epoch, int silence) const;

 private:
  struct Draw {
    int utterance = -1;  // -1: silence
    uint64_t seed = 0;
  };
  FeatureSet make(const std::string& file, Split split, const std::vector<Draw>& draws) const;
  std::vector<Draw> draw_all(Split split, int silence, uint64_t seed) const;

  uint64_t seed_ = 0;
  std::vector<Utterance> utterances_;
  std::vector<std::vector<float>> speech_;
  Surroundings surroundings_;
  FrontEnd front_end_;
};

}  // namespace nibble::kws
