// What the corpus consists of: words, synthetic speakers, which speaker belongs to which split, and
// the list of utterances. Everything follows from the tables and one seed, so every machine plans
// the same corpus.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble::kws {

// The order of the model's outputs (that of MLPerf Tiny).
inline constexpr std::array<std::string_view, 12> kLabels = {
    "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence", "unknown"};
inline constexpr int kKeywords = 10;  // labels 0 to 9 are the words themselves
inline constexpr int kSilence = 10;
inline constexpr int kUnknown = 11;

enum class Split { kTrain, kValidation, kTest };
std::string_view split_name(Split split);

// A speaker is a variant of espeak-ng's (pitch, formants, breath, ...). The accent (espeak-ng's
// voice) is drawn per utterance and does not make a speaker: a variant is in one split only,
// whatever accent it speaks with, and variants that differ by a number or a hair (robosoft,
// robosoft2, ...) are in the same split.
struct Speaker {
  std::string_view variant;
  Split split;
};
const std::vector<Speaker>& speakers();
const std::vector<std::string_view>& accents();

// Words of the class "unknown". The test also asks for words that training never heard.
const std::vector<std::string_view>& unknown_words();
const std::vector<std::string_view>& unheard_words();

// One call of espeak-ng.
struct Utterance {
  Split split = Split::kTrain;
  int label = 0;
  std::string word;
  std::string accent;
  std::string variant;
  int pitch = 50;         // espeak-ng -p
  int speed = 160;        // espeak-ng -s
  char intonation = '.';  // '.', '?' or '!'
  // Playing speed of the recording, which moves pitch and formants together: 1 but for training,
  // where it stands for throats of other sizes.
  double warp = 1;
  std::string path;  // of the recording, relative to the corpus
};

struct CorpusSize {
  int train_per_keyword = 420;
  int train_unknown = 1400;
  int validation_per_class = 40;
  int test_per_class = 60;
};
std::vector<Utterance> plan_utterances(uint64_t seed, const CorpusSize& size = {});

// A row of manifest.csv: where a sample of calibration.npz or test.npz comes from.
struct ManifestRow {
  std::string file;  // "calibration" or "test"
  int64_t index = 0;
  std::string label, word, accent, variant;  // word, accent and variant are empty for silence
  int pitch = 0, speed = 0;
  std::string noise;
  double snr_db = 0;
};
std::string format_manifest(const std::vector<ManifestRow>& rows);
Result<std::vector<ManifestRow>> read_manifest(const std::filesystem::path& path);

// Whether no speaker of the test set is in another split, by the tables and by the rows; the error
// names the speaker.
Status check_speakers_disjoint(const std::vector<ManifestRow>& rows);

}  // namespace nibble::kws
