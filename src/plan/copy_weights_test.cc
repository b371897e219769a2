// Which weights are copied to RAM: the most read first, within the budget, and none for next to
// nothing.
#include <gtest/gtest.h>

#include "plan/plan.h"

namespace nibble {
namespace {

// Calls with one constant each, of 1,000 bytes.
Program program_of(const std::vector<int64_t>& macs, int64_t cycles_each) {
  Program program;
  for (size_t i = 0; i < macs.size(); ++i) {
    program.constants.push_back({"w" + std::to_string(i), "int8_t", std::vector<uint8_t>(1000, 1)});
    KernelCall call;
    call.layer = "layer" + std::to_string(i);
    call.fields = {{"filter", ConstantRef{static_cast<int>(i)}}};
    call.macs = macs[i];
    call.cycles = cycles_each;
    program.calls.push_back(call);
  }
  return program;
}

std::vector<bool> copied(const Program& program) {
  std::vector<bool> list;
  for (const ConstantData& constant : program.constants) list.push_back(constant.in_ram);
  return list;
}

TEST(CopyWeights, TheMostReadComeFirst) {
  Program program = program_of({1'000, 400'000, 80'000}, 100'000);
  WeightCopies copies = copy_weights(program, 2, 2'500);
  EXPECT_EQ(copied(program), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(copies.bytes, 2'000);
  // 100 and 20 reads of 250 words.
  EXPECT_EQ(copies.saved_cycles, 2 * 120 * 250);
}

TEST(CopyWeights, WhatDoesNotFitIsLeftOut) {
  Program program = program_of({400'000, 80'000}, 100'000);
  program.constants[0].bytes.resize(3'000);
  EXPECT_EQ(copy_weights(program, 2, 2'000).bytes, 1'000);
  EXPECT_EQ(copied(program), (std::vector<bool>{false, true}));
  Program none = program_of({400'000}, 100'000);
  EXPECT_EQ(copy_weights(none, 2, 999).bytes, 0);
  EXPECT_EQ(copy_weights(none, 2, -5).bytes, 0);
}

TEST(CopyWeights, NothingIsCopiedForNextToNothing) {
  Program program = program_of({1'000}, 100'000'000);
  EXPECT_EQ(copy_weights(program, 2, 10'000).bytes, 0);
  EXPECT_EQ(copied(program), (std::vector<bool>{false}));
}

TEST(CopyWeights, AFunctionReadsItsArgumentsOnly) {
  Program program = program_of({400'000, 400'000}, 100'000);
  program.functions.emplace_back();
  program.calls[0].function = 0;
  program.calls[0].arguments = {ConstantRef{1}};
  copy_weights(program, 2, 10'000);
  EXPECT_EQ(copied(program), (std::vector<bool>{false, true}));
}

// 1,000 bytes of each layer: 100 times what a byte is read without a cache that holds them.
TEST(FlashReads, ACacheThatHoldsALayerReadsItOnce) {
  Program program = program_of({1'000, 400'000}, 100'000);
  EXPECT_EQ(flash_read_bytes(program, 0), 1'000 + 100 * 1'000);
  EXPECT_EQ(flash_read_bytes(program, 999), 1'000 + 100 * 1'000);
  EXPECT_EQ(flash_read_bytes(program, 1'000), 2 * 1'000);
  EXPECT_EQ(flash_read_bytes(program, program.calls[1], 0), 100 * 1'000);
  program.constants[1].in_ram = true;
  EXPECT_EQ(flash_read_bytes(program, 0), 1'000);
}

}  // namespace
}  // namespace nibble
