// See mix.h.
#include "mix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "audio.h"
#include "base/check.h"
#include "fft.h"
#include "front_end.h"

namespace nibble::kws {
namespace {

constexpr size_t kTestRooms = 2;  // the last ones
constexpr double kRoomShare = 0.4;
constexpr double kTestSnr[] = {40, 20, 15, 10, 5};

double gain_of_db(double db) { return std::pow(10.0, db / 20); }

Result<std::vector<std::filesystem::path>> sounds_in(const std::filesystem::path& folder) {
  std::error_code failure;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure))
    if (entry.path().extension() == ".wav") paths.push_back(entry.path());
  if (failure || paths.empty())
    return input_error(fmt::format("{}: no WAV files; run kws_generate first", folder.string()));
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The part of a noise that a split may use, as fractions of its length.
std::pair<double, double> noise_part(Split split) {
  switch (split) {
    case Split::kTrain:
      return {0.0, 0.65};
    case Split::kValidation:
      return {0.65, 0.8};
    case Split::kTest:
      break;
  }
  return {0.8, 1.0};
}

}  // namespace

Result<Surroundings> read_surroundings(const std::filesystem::path& corpus) {
  Surroundings result;
  NIBBLE_ASSIGN(auto noises, sounds_in(corpus / "noise"));
  for (const auto& path : noises) {
    NIBBLE_ASSIGN(Sound sound, read_sound(path));
    if (sound.sample_rate != kSampleRate || sound.samples.size() < 10 * kClipSamples)
      return input_error(
          fmt::format("{}: ten seconds at {} Hz are needed", path.string(), kSampleRate));
    double level = root_mean_square(sound.samples);
    if (level == 0) return input_error(fmt::format("{}: is silent", path.string()));
    for (float& sample : sound.samples) sample = static_cast<float>(sample / level);
    result.noises.push_back({path.stem().string(), std::move(sound.samples)});
  }
  NIBBLE_ASSIGN(auto rooms, sounds_in(corpus / "rooms"));
  if (rooms.size() <= kTestRooms)
    return input_error(
        fmt::format("{}: more than {} rooms are needed", (corpus / "rooms").string(), kTestRooms));
  for (const auto& path : rooms) {
    NIBBLE_ASSIGN(Sound sound, read_sound(path));
    double energy = 0;
    for (float sample : sound.samples) energy += double{sample} * sample;
    if (energy == 0) return input_error(fmt::format("{}: is silent", path.string()));
    for (float& sample : sound.samples) sample = static_cast<float>(sample / std::sqrt(energy));
    result.rooms.push_back(std::move(sound.samples));
  }
  return result;
}

Recipe draw_recipe(Rng& rng, Split split, size_t speech_samples, const Surroundings& surroundings) {
  bool test = split == Split::kTest;
  auto rooms = static_cast<int64_t>(surroundings.rooms.size());
  auto own = static_cast<int64_t>(kTestRooms);
  Recipe recipe;
  if (rng.uniform() < kRoomShare)
    recipe.room = static_cast<int>(test ? rng.integer(rooms - own, rooms - 1)
                                        : rng.integer(0, rooms - own - 1));
  if (speech_samples == 0) {
    recipe.snr_db = -std::numeric_limits<double>::infinity();
    recipe.level_db = rng.uniform(-70, -22);
  } else {
    if (speech_samples < kClipSamples)
      recipe.start =
          static_cast<size_t>(rng.integer(0, static_cast<int64_t>(kClipSamples - speech_samples)));
    recipe.level_db = rng.uniform(-34, -14);
    recipe.snr_db = test ? kTestSnr[rng.integer(0, std::size(kTestSnr) - 1)]
                         : 45 * std::pow(rng.uniform(), 1.5);
  }
  recipe.noise =
      static_cast<int>(rng.integer(0, static_cast<int64_t>(surroundings.noises.size()) - 1));
  auto [from, to] = noise_part(split);
  auto length = static_cast<double>(surroundings.noises[recipe.noise].samples.size());
  recipe.noise_start = static_cast<size_t>(rng.integer(
      static_cast<int64_t>(from * length), static_cast<int64_t>(to * length) - kClipSamples));
  return recipe;
}

std::vector<float> mix(const Recipe& recipe, std::span<const float> speech,
                       const Surroundings& surroundings) {
  const std::vector<float>& noise = surroundings.noises[recipe.noise].samples;
  NIBBLE_CHECK(recipe.noise_start + kClipSamples <= noise.size(), "noise at {}",
               recipe.noise_start);
  std::vector<float> clip(kClipSamples);
  double speech_gain = 0, noise_gain = gain_of_db(recipe.level_db);
  if (double level = root_mean_square(speech); level > 0) {
    speech_gain = gain_of_db(recipe.level_db) / level;
    noise_gain = gain_of_db(recipe.level_db - recipe.snr_db);
    size_t cut = speech.size() > kClipSamples ? (speech.size() - kClipSamples) / 2 : 0;
    size_t count = std::min<size_t>(speech.size(), kClipSamples);
    for (size_t i = 0; i < count && recipe.start + i < kClipSamples; ++i)
      clip[recipe.start + i] = static_cast<float>(speech[cut + i] * speech_gain);
    if (recipe.room >= 0) clip = convolve(clip, surroundings.rooms[recipe.room]);
  }
  for (size_t i = 0; i < kClipSamples; ++i) {
    double sample = clip[i] + noise_gain * noise[recipe.noise_start + i];
    // A microphone's converter: 16 bits, clipping at full scale.
    clip[i] = static_cast<float>(std::clamp(std::round(sample * 32768), -32768.0, 32767.0) / 32768);
  }
  return clip;
}

}  // namespace nibble::kws
