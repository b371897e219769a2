// From a recording of one word to the second of sound that a microphone would hear: room, place in
// time, level, noise. Test and calibration samples are mixed once with a fixed seed; training mixes
// anew in every epoch.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "corpus.h"

namespace nibble::kws {

// What generate.cc has made with sox: noise of a minute each, and impulse responses of rooms and
// microphones.
struct Surroundings {
  struct Noise {
    std::string name;
    std::vector<float> samples;  // root mean square 1
  };
  std::vector<Noise> noises;
  std::vector<std::vector<float>> rooms;  // energy 1
};
Result<Surroundings> read_surroundings(const std::filesystem::path& corpus);

// How one clip is mixed.
struct Recipe {
  int room = -1;     // -1: none
  size_t start = 0;  // of the word, in samples
  double level_db =
      0;              // of the word (of the noise in a clip without a word), relative to full scale
  double snr_db = 0;  // word to noise, both over the length of the word; -infinity without a word
  int noise = 0;
  size_t noise_start = 0;
};

// Splits share no second of noise; the test's rooms are its own. speech_samples = 0 is a clip of
// class "silence".
Recipe draw_recipe(Rng& rng, Split split, size_t speech_samples, const Surroundings& surroundings);

// kClipSamples. A word longer than a clip loses both ends.
std::vector<float> mix(const Recipe& recipe, std::span<const float> speech,
                       const Surroundings& surroundings);

}  // namespace nibble::kws
