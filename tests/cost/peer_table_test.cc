// The peer's tables: which build they take, what it reads of weights, and that doc/cost.md has
// them.
//   build/bench/nibble_mix_table --write      writes the document's tables anew
#include "peer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/shared_data.h"

namespace nibble {
namespace {

using testing::HasSubstr;

constexpr const char* kModels = "data/models/mlperf_tiny/vww_mobilenetv1_int8.tflite";

PeerBuild build_of(const std::string& kernels, const std::string& flags, int64_t instructions,
                   std::map<std::string, int64_t> mnemonics) {
  return {"cortex-m4", kernels, flags, "kws", instructions, std::move(mnemonics)};
}

TEST(PeerRecord, IsReadWholeOrNotAtAll) {
  const char* text = R"({"best": {"cortex-m4": {}}, "builds": [{"core": "cortex-m4",
      "kernels": "cmsis", "flags": "O3", "model": "kws", "instructions_per_inference": 12,
      "opcodes": {"ldr": 5, "b": 1}, "arena_bytes": 3}, {"core": "cortex-m3", "kernels": "ref",
      "flags": "Os", "model": "ad", "instructions_per_inference": 7}]})";
  const Result<PeerRecord> record = parse_peer_record(text, "peer.json");
  ASSERT_TRUE(record.ok()) << record.error().message;
  ASSERT_EQ(record->builds.size(), 2u);
  EXPECT_TRUE(record->best.contains("cortex-m4"));
  EXPECT_EQ(record->builds[0].instructions, 12);
  EXPECT_EQ(record->builds[0].mnemonics, (std::map<std::string, int64_t>{{"b", 1}, {"ldr", 5}}));
  EXPECT_EQ(record->builds[1].flags, "Os");
  EXPECT_TRUE(record->builds[1].mnemonics.empty());

  auto error = [](const std::string& json) {
    return parse_peer_record(json, "peer.json").error().message;
  };
  EXPECT_THAT(error("{"), HasSubstr("peer.json: this is no JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("'best' or 'builds' is missing"));
  EXPECT_THAT(error(R"({"best": {}, "builds": [{"core": 4}]})"),
              HasSubstr("peer.json: builds[0]: 'core' is missing or no text"));
  const std::string begin = R"({"best": {}, "builds": [{"core": "c", "kernels": "k",
                               "flags": "f", "model": "m")";
  EXPECT_THAT(error(begin + "}]}"), HasSubstr("'instructions_per_inference' is missing"));
  EXPECT_THAT(error(begin + R"(, "instructions_per_inference": 1, "opcodes": {"ldr": "many"}}]})"),
              HasSubstr("'opcodes' has no whole number for 'ldr'"));
}

// Two layers of a thousand bytes: one reads each once, the other for 8 outputs.
TEST(PeerReads, AreAsOftenAsKernelsHaveOutputsAtOnce) {
  Program program;
  for (const int64_t macs : {1000, 8000}) {
    const int index = static_cast<int>(program.constants.size());
    program.constants.push_back({"w", "int8_t", std::vector<uint8_t>(1000, 1)});
    KernelCall& call = program.calls.emplace_back();
    call.layer = "layer" + std::to_string(index);
    call.fields = {{"filter", ConstantRef{index}}};
    call.macs = macs;
  }
  const Target target;
  EXPECT_EQ(peer_reads(program, target, "cmsis").low, 1000 + 8000 / 4);
  EXPECT_EQ(peer_reads(program, target, "cmsis").high, 1000 + 8000 / 2);
  EXPECT_EQ(peer_reads(program, target, "ref").high, 1000 + 8000);
}

TEST(LeastPeerCycles, AreOfTheBuildWithTheFewestInstructions) {
  PeerRecord record;
  record.builds = {build_of("cmsis", "O3", 20, {{"add", 20}}),
                   build_of("cmsis", "t2", 10, {{"ldr", 10}}),
                   build_of("cmsis", "mix", 5, {}),  // nothing known but the number
                   build_of("ref", "O3", 3, {{"add", 3}})};
  Target target;
  target.core = "cortex-m4";
  const auto least = least_peer_cycles(record, target, "kws");
  ASSERT_TRUE(least.ok() && *least);
  EXPECT_EQ((*least)->low, 11);
  EXPECT_EQ((*least)->high, 20);
  EXPECT_FALSE(*least_peer_cycles(record, target, "ad"));
  target.core = "cortex-m33";
  EXPECT_FALSE(*least_peer_cycles(record, target, "kws"));
  target.core = "cortex-m4";
  record.builds[1].mnemonics["cdp2"] = 0;
  EXPECT_THAT(least_peer_cycles(record, target, "kws").error().message,
              HasSubstr("kws on cortex-m4, cmsis, t2: 'cdp2' is no Thumb"));
}

TEST(PeerTables, StandInTheDocument) {
  NIBBLE_NEED_SHARED(kPeerFile);
  NIBBLE_NEED_SHARED(kMlperfFile);
  NIBBLE_NEED_SHARED(kModels);
  const Result<Peer> peer = read_peer(shared_path("."));
  ASSERT_TRUE(peer.ok()) << peer.error().message;
  const Result<EngineTimes> times = published_times(shared_path("."));
  ASSERT_TRUE(times.ok()) << times.error().message;
  const Result<std::string> tables = peer_tables(*peer, *times);
  ASSERT_TRUE(tables.ok()) << tables.error().message;
  const Result<WrittenPart> page =
      split_cost_page(*read_text_file(source_path(kCostPage)), "nibble_mix_table");
  ASSERT_TRUE(page.ok()) << page.error().message;
  EXPECT_NE(page->tables.find(*tables), std::string::npos) << "it should have\n" << *tables;
}

// Every build of every core can be read; the cycles that work() has of the same library, counted
// instruction by instruction, are not outside of what its mnemonics leave open.
TEST(PeerTables, HoldWhatWasCountedOneByOne) {
  NIBBLE_NEED_SHARED(kPeerFile);
  NIBBLE_NEED_SHARED(kModels);
  const Result<Peer> peer = read_peer(shared_path("."));
  ASSERT_TRUE(peer.ok()) << peer.error().message;
  EXPECT_EQ(peer->models.size(), 4u);
  int held = 0;
  for (const PeerBuild& build : peer->record.builds) {
    const Result<MixBounds> mix = bound_mix(build.mnemonics, build.instructions);
    ASSERT_TRUE(mix.ok()) << mix.error().message;
    Target target;
    target.core = build.core;
    const std::optional<LowHigh> cycles = bound_cycles(*mix, target);
    ASSERT_TRUE(cycles) << build.core;
    EXPECT_LE(cycles->low, cycles->high);
    if (build.core != "cortex-m4" || build.kernels != "cmsis" || build.flags != "O3") continue;
    const PeerModel& model = *std::ranges::find(peer->models, build.model, &PeerModel::name);
    double ruled = 0;
    for (const double part : work(model.network.all, CostProfile::kCmsis, CostIsa::kDsp))
      ruled += part;
    EXPECT_LE(cycles->low, ruled) << build.model;
    EXPECT_GE(cycles->high, ruled) << build.model;
    ++held;
  }
  EXPECT_EQ(held, 4);
}

}  // namespace
}  // namespace nibble
