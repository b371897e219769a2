// Mnemonics against the decoder of the emulator's counter, over all that a compiler's libraries are
// made of, and what counts of them leave open against cycles counted by hand.
#include "peer_mix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/rng.h"
#include "base/text.h"
#include "cost/cost.h"
#include "run/decode_thumb.h"
#include "support/shell.h"
#include "support/tools.h"

namespace nibble {
namespace {

using Counts = std::map<std::string, int64_t>;
using Jump = ThumbMnemonic::Jump;

Target part(const std::string& core) {
  Target target;
  target.name = "test";
  target.core = core;
  return target;
}

std::vector<Target> thumb_parts() {
  std::vector<Target> parts;
  for (const CoreTiming& core : core_timings())
    if (core.core.starts_with("cortex-m")) parts.push_back(part(std::string(core.core)));
  return parts;
}

std::string class_of(uint64_t InstructionMix::*count) {
  const auto* found = std::ranges::find(kMixClasses, count, &MixCounter::count);
  return found == std::end(kMixClasses) ? "none" : found->name;
}

TEST(Mnemonics, AreReadWithTheirSuffixes) {
  struct Case {
    const char* text;
    const char* what;
    Jump jump = Jump::kNever;
    unsigned least = 0, most = 0;
  };
  const Case cases[] = {{"ldr", "load"},
                        {"LDRSB.W", "load"},
                        {"ldrsble", "load"},
                        {"ldrhs", "load"},
                        {"ldrht", "load"},
                        {"tbb", "load", Jump::kAlways},
                        {"strpl", "store"},
                        {"ldrd", "load_multiple", Jump::kNever, 2, 2},
                        {"strd", "store_multiple", Jump::kNever, 2, 2},
                        {"pop", "load_multiple", Jump::kPerhaps, 1, 14},
                        {"ldmia.w", "load_multiple", Jump::kPerhaps, 1, 14},
                        {"push", "store_multiple", Jump::kNever, 1, 14},
                        {"vpush", "store_multiple", Jump::kNever, 1, 32},
                        {"muls", "multiply"},
                        {"mulls", "multiply"},
                        {"mls", "multiply"},
                        {"smlabb", "multiply"},
                        {"smladx", "multiply"},
                        {"smlal", "multiply_long"},
                        {"umulleq", "multiply_long"},
                        {"sdiv", "divide"},
                        {"b", "branch", Jump::kAlways},
                        {"b.n", "branch", Jump::kAlways},
                        {"bl", "branch", Jump::kAlways},
                        {"bx", "branch", Jump::kAlways},
                        {"bleq", "branch", Jump::kPerhaps},
                        {"ble", "branch", Jump::kPerhaps},
                        {"bls.n", "branch", Jump::kPerhaps},
                        {"bxne", "branch", Jump::kPerhaps},
                        {"cbnz", "branch", Jump::kPerhaps},
                        {"bic", "alu"},
                        {"bics", "alu"},
                        {"mvnsne.w", "alu"},
                        {"lsls", "alu"},
                        {"teq", "alu"},
                        {"addcs", "alu"},
                        {"adcs", "alu"},
                        {"sxtab16", "alu"},
                        {"uqsub8", "alu"},
                        {"itett", "alu"},
                        {"asrl", "alu"},
                        {"vmrs", "fpu"},
                        {"vmov", "fpu"},
                        {"vmov.32", "fpu"},
                        {"vmovlt.f32", "fpu"},
                        {"vfma.f32", "fpu"},
                        {"vcvt.s32.f32", "fpu"},
                        {"vdivne.f32", "fpu_divide"},
                        {"vsqrt.f64", "fpu_divide"},
                        {"le", "loop"},
                        {"wlstp.8", "loop", Jump::kPerhaps},
                        {"vldrb.s32", "vector_load"},
                        {"vldrbt.u8", "vector_load"},
                        {"vstrw.32", "vector_store"},
                        {"vmlava.s8", "vector_multiply"},
                        {"vqrdmulh.s32", "vector_multiply"},
                        {"vaddva.s8", "vector_other"},
                        {"vmovlt.s8", "vector_other"},
                        {"vmov.i32", "vector_other"},
                        {"vand", "vector_other"},
                        {"vptte.s32", "vector_other"},
                        {"vdup.32", "vector_other"}};
  for (const Case& c : cases) {
    const std::optional<ThumbMnemonic> read = read_mnemonic(c.text);
    ASSERT_TRUE(read) << c.text;
    EXPECT_EQ(class_of(read->low), c.what) << c.text;
    EXPECT_EQ(class_of(read->high), c.what) << c.text;
    EXPECT_EQ(read->jump, c.jump) << c.text;
    EXPECT_EQ(read->least_words, c.least) << c.text;
    EXPECT_EQ(read->most_words, c.most) << c.text;
  }
  const std::optional<ThumbMnemonic> vldr = read_mnemonic("vldr");
  ASSERT_TRUE(vldr);
  EXPECT_EQ(class_of(vldr->low), "load");
  EXPECT_EQ(class_of(vldr->high), "load_multiple");
  for (const char* none : {"", ".word", "s", "x", "eq", "cdp2", "vfoo", "addi", "<undefined>"})
    EXPECT_FALSE(read_mnemonic(none)) << none;
}

size_t below(Rng& rng, size_t end) {
  return static_cast<size_t>(rng.integer(0, static_cast<int64_t>(end) - 1));
}

struct Executed {
  std::string mnemonic;
  nibble_decoded decoded{};
};

// Every instruction of the compiler's own libraries for the Cortex-M4 and M33, with what the
// decoder says of its encoding. The disassembler's lines: "  4a:\tf8d3 2004 \tldr.w\tr2, [r3, #4]".
std::vector<Executed> read_libraries() {
  const std::string script =
      "for core in cortex-m4 cortex-m33; do for library in c m; do "
      "arm-none-eabi-objdump -d $(arm-none-eabi-gcc -mcpu=$core -mthumb "
      "-mfloat-abi=hard -mfpu=auto -print-file-name=lib$library.a); done; done";
  std::istringstream text(run_shell(script, "/", "/").out);
  std::vector<Executed> all;
  for (std::string line; std::getline(text, line);) {
    const std::vector<std::string> cells = split(line, '\t');
    if (cells.size() < 3 || !cells[0].ends_with(':')) continue;
    const std::string mnemonic(trim(cells[2]));
    if (mnemonic.empty() || mnemonic.find_first_of(".<@;") == 0) continue;
    uint16_t half[2] = {0, 0};
    const std::vector<std::string> codes = split(trim(cells[1]), ' ');
    if (codes.size() > 2) continue;
    for (size_t i = 0; i < codes.size(); ++i)
      half[i] = static_cast<uint16_t>(std::stoul(codes[i], nullptr, 16));
    all.push_back({mnemonic, nibble_decode_thumb(half)});
  }
  return all;
}

const std::vector<Executed>& library_instructions() {
  static const std::vector<Executed> all = read_libraries();
  return all;
}

TEST(Mnemonics, AreOfTheClassThatTheirEncodingIs) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc");
  const std::vector<Executed>& all = library_instructions();
  EXPECT_GT(all.size(), 10'000u);
  std::map<std::string, int> seen;
  for (const auto& [mnemonic, decoded] : all) {
    const std::string key = mnemonic + " is " + kMixClasses[decoded.what].name;
    if (++seen[key] > 1) continue;
    const std::optional<ThumbMnemonic> read = read_mnemonic(mnemonic);
    ASSERT_TRUE(read) << key;
    const auto count = kMixClasses[decoded.what].count;
    EXPECT_TRUE(read->low == count || read->high == count)
        << key << ", read as " << class_of(read->low);
    EXPECT_LE(read->least_words, decoded.words) << key;
    EXPECT_LE(decoded.words, read->most_words) << key;
  }
}

// What was counted instruction by instruction lies between the bounds, whichever branches were
// taken.
TEST(MixBounds, HoldTheMixThatWasCounted) {
  NIBBLE_NEED_TOOLS("arm-none-eabi-gcc");
  const std::vector<Executed>& all = library_instructions();
  ASSERT_GT(all.size(), 10'000u);
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    const size_t length = 1 + below(rng, 300), begin = below(rng, all.size() - length);
    InstructionMix exact{};
    Counts counts;
    for (size_t i = begin; i < begin + length; ++i) {
      nibble_add_decoded(&all[i].decoded, i > begin ? &all[i - 1].decoded : nullptr, &exact);
      const ThumbMnemonic read = *read_mnemonic(all[i].mnemonic);
      if (read.jump == Jump::kAlways || (read.jump == Jump::kPerhaps && below(rng, 2) == 0))
        ++exact.branch_taken;
      const bool is_cheap = read.low == &InstructionMix::alu || read.low == &InstructionMix::branch;
      if (!is_cheap || below(rng, 4) > 0) ++counts[all[i].mnemonic];  // else one without a name
    }
    const auto total = static_cast<int64_t>(length);
    const Result<MixBounds> bounds = bound_mix(counts, total);
    ASSERT_TRUE(bounds.ok()) << bounds.error().message;
    EXPECT_EQ(instructions_of(bounds->low), length);
    EXPECT_EQ(instructions_of(bounds->high), length);
    for (const Target& target : thumb_parts()) {
      const double cycles = cycles_by_mix(exact, target)->core;
      const LowHigh range = *bound_cycles(*bounds, target);
      EXPECT_LE(range.low, cycles + 1e-9) << target.core << ", round " << round;
      EXPECT_GE(range.high, cycles - 1e-9) << target.core << ", round " << round;
    }
  }
}

void expect_cycles(const Counts& counts, int64_t instructions, const std::string& core, double low,
                   double high) {
  const Result<MixBounds> mix = bound_mix(counts, instructions);
  ASSERT_TRUE(mix.ok()) << mix.error().message;
  const std::optional<LowHigh> cycles = bound_cycles(*mix, part(core));
  ASSERT_TRUE(cycles) << core;
  EXPECT_NEAR(cycles->low, low, 1e-9) << core;
  EXPECT_NEAR(cycles->high, high, 1e-9) << core;
}

TEST(MixBounds, OfKnownCountsAreTheCyclesOfTheTable) {
  // Ten turns of ldr, ldr, smlad, subs, bne; a list and back; three without a name. Cortex-M4, low:
  // loads 20 behind one cycle of the first, 30 of one cycle, lists 1 + 1, rest 1. High: loads 2,
  // branches 1 + 2, lists 1 + 14, the second of them a return with 2, rest 1 + 2.
  const Counts loop = {{"ldr", 20}, {"smlad", 10}, {"subs", 10},
                       {"bne", 10}, {"push", 1},   {"pop", 1}};
  expect_cycles(loop, 55, "cortex-m4", 21 + 30 + 2 * 2 + 3, 40 + 20 + 30 + 15 + 17 + 9);
  // Cortex-M0+: no load is behind another, branches 1 + 1, stores as loads.
  expect_cycles(loop, 55, "cortex-m0plus", 40 + 30 + 2 * 2 + 3, 40 + 20 + 20 + 15 + 16 + 6);
  // Branches that are always taken, and one word or two.
  expect_cycles({{"b", 1}, {"bl", 1}, {"tbb", 1}}, 3, "cortex-m4", 3 + 3 + 4, 3 + 3 + 4);
  expect_cycles({{"vldr", 1}, {"vdiv.f32", 1}}, 2, "cortex-m4", 2 + 14, 3 + 14);
  // Cortex-M7: .65 each; what was loaded is used at once, or not.
  expect_cycles({{"ldr", 2}, {"add", 1}}, 3, "cortex-m7", 3 * .65, 3 * .65 + 2);
  // Helium: two cycles each, one saved between neighbours of different units.
  expect_cycles({{"vldrb.u8", 100}, {"vmlava.s8", 100}, {"le", 50}}, 250, "cortex-m55", 201, 400);
  expect_cycles({{"vldrb.u8", 100}, {"vmlava.s8", 10}}, 110, "cortex-m55", 200, 220);
}

TEST(MixBounds, GrowWithEveryInstruction) {
  const std::vector<std::string> some = {
      "ldr",       "ldrd",     "pop", "str",     "push",     "mla",   "smull",    "sdiv",
      "add",       "bne",      "bl",  "vldr",    "vadd.f32", "le",    "vldrb.u8", "tbb",
      "vmlava.s8", "vadd.i32", "wls", "vstrb.8", "vstr",     "vpush", "vdiv.f32", "cbz"};
  Rng rng(11);
  for (int round = 0; round < 200; ++round) {
    Counts counts;
    int64_t total = rng.integer(0, 20);
    for (const std::string& mnemonic : some) {
      if (below(rng, 2) == 0) continue;
      counts[mnemonic] = rng.integer(0, 50);
      total += counts[mnemonic];
    }
    const MixBounds before = *bound_mix(counts, total);
    Counts more = counts;
    const size_t added = below(rng, some.size() + 1);  // the last: one without a name
    if (added < some.size()) ++more[some[added]];
    const MixBounds after = *bound_mix(more, total + 1);
    for (const Target& target : thumb_parts()) {
      const LowHigh less = *bound_cycles(before, target), grown = *bound_cycles(after, target);
      EXPECT_LE(less.low, less.high + 1e-9) << target.core << ", round " << round;
      EXPECT_LE(less.low, grown.low + 1e-9) << target.core << ", round " << round;
      EXPECT_LE(less.high, grown.high + 1e-9) << target.core << ", round " << round;
    }
  }
}

TEST(MixBounds, RefuseWhatCannotBe) {
  using testing::HasSubstr;
  EXPECT_THAT(bound_mix({{"cdp2", 1}}, 1).error().message, HasSubstr("'cdp2' is no Thumb"));
  EXPECT_THAT(bound_mix({{"add", -1}}, 1).error().message, HasSubstr("-1 times"));
  EXPECT_THAT(bound_mix({{"add", 3}, {"sub", 2}}, 4).error().message, HasSubstr("for 1 instr"));
  EXPECT_FALSE(bound_cycles(*bound_mix({}, 1), part("xtensa-lx7")));
}

}  // namespace
}  // namespace nibble
