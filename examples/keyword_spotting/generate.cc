// kws_generate: makes the corpus. espeak-ng says every planned word, sox makes noise and rooms; the
// result is OUT/speech, OUT/noise and OUT/rooms as 16 kHz WAV, the same on every machine with the
// same packages.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "audio.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "corpus.h"
#include "front_end.h"
#include "options.h"

namespace nibble::kws {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

Result<Sound> say(const std::string& word, std::string_view accent, std::string_view variant,
                  int pitch, int speed, const fs::path& scratch) {
  NIBBLE_TRY(run_program(
      {"espeak-ng", "-v", fmt::format("{}+{}", accent, variant), "-p", std::to_string(pitch), "-s",
       std::to_string(speed), "-w", scratch.string(), word},
      "espeak-ng"));
  return read_sound(scratch);
}

Status make_directory(const fs::path& path) {
  std::error_code failure;
  fs::create_directories(path, failure);
  if (failure)
    return input_error(
        fmt::format("{}: {}; choose a writable folder", path.string(), failure.message()));
  return {};
}

// Two names for one sound would put a test speaker into training unnoticed. So every variant says
// the same word, and sounds that agree in every sample must belong to one split.
Status check_speakers_differ(const fs::path& scratch) {
  std::map<std::vector<float>, const Speaker*> heard;
  for (const Speaker& speaker : speakers()) {
    NIBBLE_ASSIGN(Sound sound, say("follow", "en-us", speaker.variant, 50, 160, scratch));
    auto [at, is_new] = heard.emplace(std::move(sound.samples), &speaker);
    if (!is_new && at->second->split != speaker.split)
      return input_error(
          fmt::format("espeak-ng's variants {} and {} sound the same but are in "
                      "different splits; change the tables in corpus.cc",
                      at->second->variant, speaker.variant));
  }
  return {};
}

Status make_speech(const fs::path& corpus, const fs::path& scratch, uint64_t seed) {
  std::vector<Utterance> plan = plan_utterances(seed);
  std::set<fs::path> folders;
  for (const Utterance& utterance : plan) folders.insert((corpus / utterance.path).parent_path());
  for (const fs::path& folder : folders) NIBBLE_TRY(make_directory(folder));

  Progress progress("speaking", static_cast<int64_t>(plan.size()));
  std::mutex mutex;
  Status result;
  parallel_for(static_cast<int64_t>(plan.size()), [&](int64_t begin, int64_t end, int worker) {
    auto speak = [&](const Utterance& utterance) -> Status {
      NIBBLE_ASSIGN(Sound sound,
                    say(utterance.word + utterance.intonation, utterance.accent, utterance.variant,
                        utterance.pitch, utterance.speed, scratch / fmt::format("{}.wav", worker)));
      std::vector<float> speech =
          trim_silence(resample(sound.samples, sound.sample_rate * utterance.warp / kSampleRate));
      if (speech.empty())
        return input_error(fmt::format("espeak-ng was silent for '{}' with the voice {}+{}",
                                       utterance.word, utterance.accent, utterance.variant));
      return write_sound(corpus / utterance.path, speech);
    };
    for (int64_t i = begin; i < end; ++i) {
      Status status = speak(plan[i]);
      progress.add();
      if (status.ok()) continue;
      std::lock_guard lock(mutex);
      if (result.ok()) result = std::move(status);
      return;
    }
  });
  return result;
}

Status make_noise(const fs::path& folder) {
  NIBBLE_TRY(make_directory(folder));
  // -R: sox draws the same random numbers in every run.
  const std::vector<std::pair<std::string, Words>> noises = {
      {"white", {"whitenoise"}},
      {"pink", {"pinknoise"}},
      {"brown", {"brownnoise"}},
      {"hum", {"sawtooth", "50", "gain", "-12", "tremolo", "0.3", "30", "lowpass", "1200"}},
      {"fan", {"brownnoise", "tremolo", "7", "40", "bandpass", "300", "400h"}},
      {"traffic", {"pinknoise", "tremolo", "0.2", "80", "lowpass", "2500"}},
  };
  for (const auto& [name, effects] : noises) {
    Words command = {"sox",   "-R", "-r", "16000", "-n",
                     "-b",    "16", "-c", "1",     (folder / (name + ".wav")).string(),
                     "synth", "60"};
    command.insert(command.end(), effects.begin(), effects.end());
    // Far from full scale, so that nothing clips; mix.cc sets the level.
    for (const char* word : {"gain", "-n", "-12"}) command.push_back(word);
    NIBBLE_TRY(run_program(command, "sox"));
  }
  return {};
}

Status make_rooms(const fs::path& folder, const fs::path& scratch) {
  NIBBLE_TRY(make_directory(folder));
  std::vector<float> impulse(kSampleRate * 2 / 5);
  impulse[0] = 0.25f;
  fs::path source = scratch / "impulse.wav";
  NIBBLE_TRY(write_sound(source, impulse));
  // A microphone's colour, then (but for the first) a room: reverberance, damping, room scale in
  // percent.
  const std::vector<Words> rooms = {
      {"highpass", "150", "lowpass", "6000"},
      {"highpass", "80", "equalizer", "2500", "1q", "4", "reverb", "20", "60", "30", "0"},
      {"equalizer", "700", "1q", "-5", "reverb", "40", "50", "60", "0"},
      {"lowpass", "4500", "reverb", "30", "80", "100", "0"},
      {"highpass", "300", "equalizer", "1500", "1q", "5", "reverb", "10", "50", "10", "0"},
      {"treble", "-6", "reverb", "55", "70", "50", "0"},
      {"highpass", "120", "equalizer", "1100", "1q", "-4", "reverb", "35", "60", "45", "0"},
      {"treble", "-3", "equalizer", "3000", "1q", "4", "reverb", "25", "40", "75", "0"},
  };
  for (size_t i = 0; i < rooms.size(); ++i) {
    Words command = {"sox", "-R", source.string(), (folder / fmt::format("{}.wav", i)).string()};
    command.insert(command.end(), rooms[i].begin(), rooms[i].end());
    for (const char* word : {"remix", "1"}) command.push_back(word);
    NIBBLE_TRY(run_program(command, "sox"));
  }
  return {};
}

Status generate(const Options& options) {
  NIBBLE_ASSIGN(TempDir scratch, TempDir::create());
  NIBBLE_TRY(check_speakers_disjoint({}));
  NIBBLE_TRY(check_speakers_differ(scratch.path() / "word.wav"));
  NIBBLE_TRY(make_noise(options.corpus / "noise"));
  NIBBLE_TRY(make_rooms(options.corpus / "rooms", scratch.path()));
  return make_speech(options.corpus, scratch.path(), options.seed);
}

}  // namespace
}  // namespace nibble::kws

int main(int argc, char** argv) {
  return nibble::kws::run_main(argc, argv, "kws_generate", nibble::kws::generate);
}
