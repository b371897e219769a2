// Cycles of known mixes, counted by hand from the rows of the table.
#include <gtest/gtest.h>

#include <algorithm>

#include "cost/cost.h"

namespace nibble {
namespace {

Target part(const std::string& core) {
  Target target;
  target.name = "test";
  target.core = core;
  target.clock_hz = 100'000'000;
  return target;
}

// A loop of ten turns: ldr, ldr, smlad, subs, bne, and around it a list of four and back.
InstructionMix loop() {
  InstructionMix mix{};
  mix.load = 20;
  mix.load_behind_load = 10;
  mix.load_use = 10;
  mix.multiply = 10;
  mix.alu = 10;
  mix.branch = 10;
  mix.branch_taken = 10;
  mix.store_multiple = mix.load_multiple = 1;
  mix.store_words = mix.load_words = 4;
  return mix;
}

TEST(CyclesByMix, OfKnownLoopsAreTheTablesOfTheManuals) {
  // Cortex-M4: ldr 2, ldr 1, smlad 1, subs 1, bne 1 + 2 (the last falls through, the return does
  // not); lists 1 + 4.
  EXPECT_EQ(cycles_by_mix(loop(), part("cortex-m4"))->core, 10 * (2 + 1 + 1 + 1 + 1 + 2) + 2 * 5);
  // Cortex-M0+: loads 2 each, branches 1 + 1.
  EXPECT_EQ(cycles_by_mix(loop(), part("cortex-m0plus"))->core,
            10 * (2 + 2 + 1 + 1 + 1 + 1) + 2 * 5);
  // Cortex-M3: MLA takes 2.
  EXPECT_EQ(cycles_by_mix(loop(), part("cortex-m3"))->core, 10 * (2 + 1 + 2 + 1 + 1 + 2) + 2 * 5);
  // RV32: a cycle each, one of waiting for the second load, two for the jump.
  InstructionMix riscv = loop();
  riscv.store_multiple = riscv.load_multiple = riscv.store_words = riscv.load_words = 0;
  EXPECT_EQ(cycles_by_mix(riscv, part("rv32imac"))->core, 10 * (5 + 1 + 2));
}

TEST(CyclesByMix, OfHeliumOverlapWhereUnitsAlternate) {
  InstructionMix mix{};
  mix.vector_load = mix.vector_multiply = 100;
  EXPECT_EQ(cycles_by_mix(mix, part("cortex-m55"))->core, 400);
  mix.vector_overlap = 199;
  EXPECT_EQ(cycles_by_mix(mix, part("cortex-m55"))->core, 201);
}

TEST(CyclesByMix, OfRiscvVectorsAreTheirRegisters) {
  InstructionMix mix{};
  mix.vector_other = 10;
  mix.vector_groups = 30;
  EXPECT_EQ(cycles_by_mix(mix, part("rv32imcv"))->core, 40);
}

TEST(CyclesByMix, WaitHalfOfWhatFlashTakes) {
  Target target = part("cortex-m4");
  target.flash_wait_cycles = 2.5;
  EXPECT_EQ(cycles_by_mix({}, target, 4000)->waits, 0.5 * 2.5 * 1000);
  EXPECT_EQ(cycles_by_mix({}, target, 4000)->core, 0);
}

TEST(CyclesByMix, AreLinearAndNeverLessWithMoreOfAClass) {
  for (const CoreTiming& core : core_timings()) {
    const Target target = part(std::string(core.core));
    const double once = cycles_by_mix(loop(), target)->core;
    InstructionMix sum = loop();
    add_mix(sum, loop(), 2);
    EXPECT_NEAR(cycles_by_mix(sum, target)->core, 3 * once, 1e-9) << core.core;
    for (const MixCounter& counter : kMixClasses) {
      InstructionMix more = loop();
      more.*counter.count += 1;
      EXPECT_GE(cycles_by_mix(more, target)->core, once) << core.core << ' ' << counter.name;
    }
    EXPECT_FALSE(core.source.empty()) << core.core;
  }
}

// Every core whose code the emulator runs has a row, but for those that are no such core.
TEST(CyclesByMix, KnowTheCatalogue) {
  const Result<std::vector<Target>> targets = all_targets();
  ASSERT_TRUE(targets.ok()) << targets.error().message;
  const std::vector<std::string> none = {"andes-d45", "xpulp", "xuantie-c906", "rv64gc"};
  for (const Target& target : *targets) {
    if (target.machine.empty() || std::ranges::find(none, target.core) != none.end()) continue;
    EXPECT_NE(find_timing(target.core), nullptr) << target.name << ": " << target.core;
  }
  EXPECT_EQ(find_timing("rv64gc"), nullptr);
  EXPECT_FALSE(cycles_by_mix(loop(), part("xtensa-lx7")));
}

}  // namespace
}  // namespace nibble
