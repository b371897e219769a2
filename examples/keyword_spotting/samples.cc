// See samples.h. Every clip has its own seed, so that the result does not depend on the number of
// threads.
#include "samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "audio.h"
#include "base/parallel.h"
#include "base/rng.h"

namespace nibble::kws {
namespace {

template <class T>
void shuffle(std::vector<T>& items, Rng& rng) {
  for (size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1],
              items[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(i) - 1))]);
}

}  // namespace

Result<Samples> Samples::read(const std::filesystem::path& corpus, uint64_t seed) {
  Samples samples;
  samples.seed_ = seed;
  samples.utterances_ = plan_utterances(seed);
  NIBBLE_ASSIGN(samples.surroundings_, read_surroundings(corpus));
  for (const Utterance& utterance : samples.utterances_) {
    Result<Sound> sound = read_sound(corpus / utterance.path);
    if (!sound.ok())
      return input_error(sound.error().message + "; run kws_generate with the same seed first");
    if (sound->sample_rate != kSampleRate)
      return input_error(fmt::format("{}: {} Hz instead of {}; run kws_generate again",
                                     utterance.path, sound->sample_rate, kSampleRate));
    samples.speech_.push_back(std::move(sound->samples));
  }
  return samples;
}

std::vector<Samples::Draw> Samples::draw_all(Split split, int silence, uint64_t seed) const {
  Rng rng(seed);
  std::vector<Draw> draws;
  auto fresh = [&] { return uint64_t{rng.next()} << 32 | rng.next(); };
  for (size_t i = 0; i < utterances_.size(); ++i)
    if (utterances_[i].split == split) draws.push_back({static_cast<int>(i), fresh()});
  for (int i = 0; i < silence; ++i) draws.push_back({-1, fresh()});
  shuffle(draws, rng);
  return draws;
}

FeatureSet Samples::make(const std::string& file, Split split,
                         const std::vector<Draw>& draws) const {
  FeatureSet set;
  set.x.resize(draws.size() * kFeatures);
  set.y.resize(draws.size());
  set.rows.resize(draws.size());
  parallel_for(static_cast<int64_t>(draws.size()), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Draw& draw = draws[i];
      Rng rng(draw.seed);
      static const std::vector<float> kNoSpeech;
      const std::vector<float>& speech = draw.utterance < 0 ? kNoSpeech : speech_[draw.utterance];
      Recipe recipe = draw_recipe(rng, split, speech.size(), surroundings_);
      std::vector<float> clip = mix(recipe, speech, surroundings_);
      std::span<float> features = std::span(set.x).subspan(i * kFeatures, kFeatures);
      front_end_.mfcc(clip, features);
      // Halves the shipped files; an int8 step is a hundred times as wide.
      for (float& value : features) value = std::round(value * 256) / 256;

      ManifestRow& row = set.rows[i];
      row.file = file;
      row.index = i;
      row.noise = surroundings_.noises[recipe.noise].name;
      row.snr_db = std::round(recipe.snr_db * 10) / 10;
      set.y[i] = kSilence;
      if (draw.utterance >= 0) {
        const Utterance& utterance = utterances_[draw.utterance];
        set.y[i] = utterance.label;
        row.word = utterance.word;
        row.accent = utterance.accent;
        row.variant = utterance.variant;
        row.pitch = utterance.pitch;
        row.speed = utterance.speed;
      }
      row.label = kLabels[set.y[i]];
    }
  });
  return set;
}

FeatureSet Samples::test_set() const {
  return make("test", Split::kTest,
              draw_all(Split::kTest, CorpusSize().test_per_class, seed_ + 10));
}

FeatureSet Samples::validation_set() const {
  return make("validation", Split::kValidation,
              draw_all(Split::kValidation, CorpusSize().validation_per_class, seed_ + 11));
}

FeatureSet Samples::calibration_set(int per_class) const {
  std::vector<Draw> draws;
  std::map<int, int> taken;
  for (const Draw& draw : draw_all(Split::kTrain, per_class, seed_ + 12)) {
    int label = draw.utterance < 0 ? kSilence : utterances_[draw.utterance].label;
    if (taken[label]++ < per_class) draws.push_back(draw);
  }
  return make("calibration", Split::kTrain, draws);
}

FeatureSet Samples::training_set(int epoch, int silence) const {
  return make("train", Split::kTrain,
              draw_all(Split::kTrain, silence, seed_ + 1000 + static_cast<uint64_t>(epoch)));
}

}  // namespace nibble::kws
