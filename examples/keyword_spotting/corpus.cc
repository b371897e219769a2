// See corpus.h.
#include "corpus.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"

namespace nibble::kws {
namespace {

constexpr std::string_view kManifestHeader =
    "file,index,label,word,accent,variant,pitch,speed,noise,snr_db";

// Variants with the same first two formants are one family and stay in one split (f2 f5 whisperf,
// linda belinda, edward edward2, pablo pedro, rob robert, Gene Gene2; in training robosoft m8
// Nguyen, Ricishay max, ...), and no variant with neutral formants is tested, because training has
// a dozen of them. Left out: fast (the neutral voice), klatt and klatt6 (the same sound as caleb).
// Speakers take turns in the order of the tables.
constexpr std::string_view kTestVariants[] = {"m4",      "f2",       "Alicia",  "m7",     "linda",
                                              "belinda", "Jacky",    "norbert", "Andrea", "f5",
                                              "edward",  "whisperf", "pablo",   "robert", "edward2",
                                              "Gene",    "pedro",    "Gene2",   "victor", "rob"};
constexpr std::string_view kValidationVariants[] = {"m6",   "f3",     "Annie",   "antonio",
                                                    "paul", "quincy", "marcelo", "sandro"};
constexpr std::string_view kTrainVariants[] = {
    "m1",        "m2",        "m3",        "m5",          "m8",           "f1",
    "f4",        "Alex",      "Andy",      "AnxiousAndy", "Demonic",      "Denis",
    "Diogo",     "Henrique",  "Hugo",      "Lee",         "Marco",        "Mario",
    "Michael",   "Mike",      "Nguyen",    "RicishayMax", "RicishayMax2", "RicishayMax3",
    "Storm",     "Tweaky",    "UniRobot",  "adam",        "anika",        "anikaRobot",
    "announcer", "aunty",     "benjamin",  "boris",       "caleb",        "croak",
    "david",     "ed",        "grandma",   "grandpa",     "gustave",      "iven",
    "iven2",     "iven3",     "iven4",     "john",        "kaukovalta",   "klatt2",
    "klatt3",    "klatt4",    "klatt5",    "max",         "michel",       "miguel",
    "robosoft",  "robosoft2", "robosoft3", "robosoft4",   "robosoft5",    "robosoft6",
    "robosoft7", "robosoft8", "shelby",    "steph",       "steph2",       "steph3",
    "travis",    "whisper",   "zac"};

std::vector<std::string_view> variants_of(Split split) {
  std::vector<std::string_view> result;
  for (const Speaker& speaker : speakers())
    if (speaker.split == split) result.push_back(speaker.variant);
  return result;
}

// Draws utterances of one split; speakers take turns, so that every one is heard equally often.
class Planner {
 public:
  Planner(Split split, uint64_t seed, std::vector<Utterance>& plan)
      : split_(split), rng_(seed), variants_(variants_of(split)), plan_(plan) {}

  void add(int label, std::string_view word) {
    Utterance utterance;
    utterance.split = split_;
    utterance.label = label;
    utterance.word = word;
    utterance.variant = variants_[count_ % variants_.size()];
    utterance.accent = accents()[rng_.integer(0, static_cast<int64_t>(accents().size()) - 1)];
    bool train = split_ == Split::kTrain;
    utterance.pitch = static_cast<int>(train ? rng_.integer(15, 85) : rng_.integer(25, 75));
    utterance.speed = static_cast<int>(train ? rng_.integer(110, 240) : rng_.integer(130, 210));
    utterance.intonation = ".?!"[rng_.integer(0, 2)];
    if (train) utterance.warp = rng_.uniform(0.8, 1.25);
    utterance.path = fmt::format("speech/{}/{}/{:05}_{}.wav", split_name(split_), word, count_,
                                 utterance.variant);
    ++count_;
    plan_.push_back(std::move(utterance));
  }

  void add_keywords(int per_keyword) {
    for (int label = 0; label < kKeywords; ++label)
      for (int i = 0; i < per_keyword; ++i) add(label, kLabels[label]);
  }

  void add_unknown(int count, const std::vector<std::string_view>& words) {
    for (int i = 0; i < count; ++i) add(kUnknown, words[i % words.size()]);
  }

 private:
  Split split_;
  Rng rng_;
  std::vector<std::string_view> variants_;
  std::vector<Utterance>& plan_;
  size_t count_ = 0;
};

}  // namespace

std::string_view split_name(Split split) {
  return split == Split::kTrain ? "train" : split == Split::kValidation ? "validation" : "test";
}

const std::vector<Speaker>& speakers() {
  static const std::vector<Speaker> table = [] {
    std::vector<Speaker> result;
    for (std::string_view variant : kTrainVariants) result.push_back({variant, Split::kTrain});
    for (std::string_view variant : kValidationVariants)
      result.push_back({variant, Split::kValidation});
    for (std::string_view variant : kTestVariants) result.push_back({variant, Split::kTest});
    return result;
  }();
  return table;
}

const std::vector<std::string_view>& accents() {
  static const std::vector<std::string_view> table = {"en",
                                                      "en-us",
                                                      "en-us-nyc",
                                                      "en-gb-x-rp",
                                                      "en-gb-scotland",
                                                      "en-gb-x-gbclan",
                                                      "en-gb-x-gbcwmd",
                                                      "en-029"};
  return table;
}

const std::vector<std::string_view>& unknown_words() {
  static const std::vector<std::string_view> table = {
      "bed",    "bird",  "cat",   "dog",   "eight",  "five",   "follow", "forward",
      "four",   "happy", "house", "learn", "marvin", "nine",   "one",    "seven",
      "sheila", "six",   "three", "tree",  "two",    "visual", "wow",    "zero",
      "light",  "stamp", "low",   "gold",  "town",   "often",  "yell",   "cup"};
  return table;
}

const std::vector<std::string_view>& unheard_words() {
  static const std::vector<std::string_view> table = {"backward", "window", "kitchen", "river",
                                                      "paper",    "button", "morning", "green",
                                                      "radio",    "music"};
  return table;
}

std::vector<Utterance> plan_utterances(uint64_t seed, const CorpusSize& size) {
  std::vector<Utterance> plan;
  Planner train(Split::kTrain, seed, plan);
  train.add_keywords(size.train_per_keyword);
  train.add_unknown(size.train_unknown, unknown_words());
  Planner validation(Split::kValidation, seed + 1, plan);
  validation.add_keywords(size.validation_per_class);
  validation.add_unknown(size.validation_per_class, unknown_words());
  Planner test(Split::kTest, seed + 2, plan);
  test.add_keywords(size.test_per_class);
  test.add_unknown(size.test_per_class - size.test_per_class / 2, unknown_words());
  test.add_unknown(size.test_per_class / 2, unheard_words());
  return plan;
}

std::string format_manifest(const std::vector<ManifestRow>& rows) {
  std::string text = fmt::format("{}\n", kManifestHeader);
  for (const ManifestRow& row : rows)
    text +=
        fmt::format("{},{},{},{},{},{},{},{},{},{:g}\n", row.file, row.index, row.label, row.word,
                    row.accent, row.variant, row.pitch, row.speed, row.noise, row.snr_db);
  return text;
}

Result<std::vector<ManifestRow>> read_manifest(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(std::string text, read_text_file(path));
  std::vector<std::string> lines = split(text, '\n');
  if (lines.empty() || trim(lines[0]) != kManifestHeader)
    return input_error(
        fmt::format("{}: the first line is not '{}'; make the file anew with make_all",
                    path.string(), kManifestHeader));
  std::vector<ManifestRow> rows;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    std::vector<std::string> cells = split(lines[i], ',');
    if (cells.size() != 10)
      return input_error(
          fmt::format("{}: line {} has {} cells, not 10", path.string(), i + 1, cells.size()));
    ManifestRow row{.file = cells[0],
                    .label = cells[2],
                    .word = cells[3],
                    .accent = cells[4],
                    .variant = cells[5],
                    .noise = cells[8]};
    NIBBLE_ASSIGN(row.index, parse_int(cells[1]));
    NIBBLE_ASSIGN(int64_t pitch, parse_int(cells[6]));
    NIBBLE_ASSIGN(int64_t speed, parse_int(cells[7]));
    NIBBLE_ASSIGN(row.snr_db, parse_double(trim(cells[9])));
    row.pitch = static_cast<int>(pitch);
    row.speed = static_cast<int>(speed);
    rows.push_back(std::move(row));
  }
  return rows;
}

Status check_speakers_disjoint(const std::vector<ManifestRow>& rows) {
  std::map<std::string_view, Split> split_of;
  for (const Speaker& speaker : speakers())
    if (!split_of.emplace(speaker.variant, speaker.split).second)
      return input_error(fmt::format("speaker {} is listed twice", speaker.variant));
  std::set<std::string_view> tested, used;
  for (const ManifestRow& row : rows) {
    if (row.variant.empty()) continue;  // silence
    auto found = split_of.find(row.variant);
    if (found == split_of.end())
      return input_error(
          fmt::format("{} {}: speaker {} is in no split", row.file, row.index, row.variant));
    if ((row.file == "test") != (found->second == Split::kTest))
      return input_error(fmt::format("{} {}: speaker {} belongs to the {} split", row.file,
                                     row.index, row.variant, split_name(found->second)));
    (row.file == "test" ? tested : used).insert(row.variant);
  }
  for (std::string_view variant : tested)
    if (used.count(variant)) return input_error(fmt::format("speaker {} is in both sets", variant));
  return {};
}

}  // namespace nibble::kws
