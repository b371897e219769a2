// The plan of the corpus: balanced, reproducible, and no speaker of the test in training or
// calibration.
#include "corpus.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <map>
#include <set>

#include "support/shared_data.h"

namespace nibble::kws {
namespace {

TEST(Corpus, TablesKeepSpeakersApart) {
  Status status = check_speakers_disjoint({});
  EXPECT_TRUE(status.ok()) << status.error().message;
  std::map<Split, int> count;
  for (const Speaker& speaker : speakers()) ++count[speaker.split];
  EXPECT_GE(count[Split::kTrain], 60);
  EXPECT_GE(count[Split::kTest], 20);
}

TEST(Corpus, NoUtteranceOfATestSpeakerIsInAnotherSplit) {
  std::map<std::string, std::set<Split>> splits;
  for (const Utterance& utterance : plan_utterances(1))
    splits[utterance.variant].insert(utterance.split);
  for (const auto& [variant, used] : splits) EXPECT_EQ(used.size(), 1u) << variant;
}

TEST(Corpus, EveryTestSpeakerSaysEveryKeywordEquallyOften) {
  std::map<std::pair<std::string, std::string>, int> count;
  int keywords = 0;
  for (const Utterance& utterance : plan_utterances(2)) {
    if (utterance.split != Split::kTest || utterance.label >= kKeywords) continue;
    ++count[{utterance.variant, utterance.word}];
    ++keywords;
  }
  EXPECT_EQ(keywords, 600);
  EXPECT_EQ(count.size(), 200u);
  for (const auto& [key, times] : count) EXPECT_EQ(times, 3) << key.first << " " << key.second;
}

TEST(Corpus, UnheardWordsAreInTheTestOnly) {
  std::set<std::string_view> unheard(unheard_words().begin(), unheard_words().end());
  for (std::string_view word : unknown_words()) EXPECT_FALSE(unheard.count(word)) << word;
  for (const Utterance& utterance : plan_utterances(3)) {
    if (unheard.count(utterance.word)) {
      EXPECT_EQ(utterance.split, Split::kTest) << utterance.word;
    }
  }
}

TEST(Corpus, TheSeedDecidesThePlan) {
  auto line = [](const Utterance& u) { return u.path + u.accent + std::to_string(u.pitch); };
  std::vector<Utterance> first = plan_utterances(4), again = plan_utterances(4),
                         other = plan_utterances(5);
  ASSERT_EQ(first.size(), again.size());
  int differing = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(line(first[i]), line(again[i]));
    differing += line(first[i]) != line(other[i]);
  }
  EXPECT_GT(differing, 1000);
}

TEST(Manifest, ReadsWhatItWrites) {
  std::vector<ManifestRow> rows = {
      {"test", 0, "yes", "yes", "en-us", "m4", 40, 170, "pink", 12.5},
      {"test", 1, "silence", "", "", "", 0, 0, "hum", -std::numeric_limits<double>::infinity()}};
  std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "kws_manifest.csv";
  {
    std::ofstream file(path);
    file << format_manifest(rows);
  }
  Result<std::vector<ManifestRow>> read = read_manifest(path);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(format_manifest(*read), format_manifest(rows));
  EXPECT_EQ((*read)[0].variant, "m4");
  EXPECT_EQ((*read)[1].snr_db, rows[1].snr_db);
  std::filesystem::remove(path);
}

TEST(Manifest, ASpeakerInTheWrongFileIsAnError) {
  ManifestRow row{"calibration", 0, "yes", "yes", "en", "m4", 50, 160, "pink", 20};
  Status status = check_speakers_disjoint({row});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("m4"), std::string::npos);
  row.variant = "nobody";
  EXPECT_FALSE(check_speakers_disjoint({row}).ok());
}

}  // namespace
}  // namespace nibble::kws
