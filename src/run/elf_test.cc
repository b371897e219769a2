// The ELF reader on a file built by hand here, on real ones, and on broken ones.
#include "run/elf.h"

#include <gmock/gmock.h>

#include "base/rng.h"

namespace nibble {
namespace {

void put16(std::vector<uint8_t>& bytes, size_t at, uint32_t value) {
  bytes[at] = static_cast<uint8_t>(value);
  bytes[at + 1] = static_cast<uint8_t>(value >> 8);
}
void put32(std::vector<uint8_t>& bytes, size_t at, uint32_t value) {
  put16(bytes, at, value);
  put16(bytes, at + 2, value >> 16);
}

// Five sections: null, .text at 0x100 with 4 bytes, .bss of 64 bytes, a symbol table with one
// symbol, and one string table for all names.
std::vector<uint8_t> hand_made() {
  constexpr uint32_t kText = 52, kSymbols = 56, kStrings = 88, kHeaders = 128;
  const char names[] = "\0.text\0.bss\0.symtab\0.strtab\0entry";
  std::vector<uint8_t> bytes(kHeaders + 5 * 40);
  const uint8_t start[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
  std::copy(std::begin(start), std::end(start), bytes.begin());
  put16(bytes, 18, 40);
  put32(bytes, 32, kHeaders);
  put16(bytes, 46, 40);
  put16(bytes, 48, 5);
  put16(bytes, 50, 4);
  for (size_t i = 0; i < 4; ++i) bytes[kText + i] = static_cast<uint8_t>(0xA0 + i);
  put32(bytes, kSymbols + 16, 28);
  put32(bytes, kSymbols + 20, 0x101);
  put32(bytes, kSymbols + 24, 4);
  put16(bytes, kSymbols + 30, 1);
  std::copy(std::begin(names), std::end(names), bytes.begin() + kStrings);
  auto section = [&](size_t i, std::initializer_list<uint32_t> words) {
    size_t at = kHeaders + i * 40;
    for (uint32_t word : words) {
      put32(bytes, at, word);
      at += 4;
    }
  };
  section(1, {1, 1, 6, 0x100, kText, 4, 0});
  section(2, {7, 8, 3, 0x200, 0, 64, 0});
  section(3, {12, 2, 0, 0, kSymbols, 32, 4});
  section(4, {20, 3, 0, 0, kStrings, sizeof names, 0});
  return bytes;
}

TEST(Elf, ReadsSectionsAndSymbols) {
  auto file = ElfFile::parse(hand_made(), "hand.elf");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_TRUE(file->is_arm());
  ASSERT_EQ(file->sections().size(), 5u);
  const ElfSection* text = file->section(".text");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->address, 0x100u);
  EXPECT_TRUE(text->allocated);
  EXPECT_THAT(text->bytes, testing::ElementsAre(0xA0, 0xA1, 0xA2, 0xA3));
  EXPECT_EQ(file->section_bytes(".bss"), 64u);
  EXPECT_TRUE(file->section(".bss")->bytes.empty());
  EXPECT_EQ(file->section_bytes(".none"), 0u);
  const ElfSymbol* entry = file->symbol("entry");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->value, 0x101u);
  EXPECT_EQ(entry->size, 4u);
  EXPECT_EQ(entry->section, 1);
  EXPECT_FALSE(file->symbol("exit"));
}

TEST(Elf, EveryTruncationIsAnError) {
  std::vector<uint8_t> whole = hand_made();
  for (size_t len = 0; len < whole.size(); ++len)
    EXPECT_FALSE(
        ElfFile::parse({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(len)}, "cut.elf")
            .ok())
        << len;
}

TEST(Elf, DamageNeverCrashes) {
  Rng rng(7);
  for (int round = 0; round < 20000; ++round) {
    std::vector<uint8_t> bytes = hand_made();
    for (int64_t i = rng.integer(1, 6); i > 0; --i) {
      auto at = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(bytes.size()) - 1));
      bytes[at] = static_cast<uint8_t>(rng.integer(0, 3) == 0 ? 0xff : rng.next());
    }
    auto file = ElfFile::parse(std::move(bytes), "damaged.elf");
    if (!file.ok()) continue;
    for (const ElfSymbol& symbol : file->symbols())
      EXPECT_LT(symbol.section, static_cast<int>(file->sections().size()));
  }
}

TEST(Elf, OtherFilesAreRefused) {
  EXPECT_FALSE(ElfFile::parse({}, "empty").ok());
  std::vector<uint8_t> wide = hand_made();
  wide[4] = 2;
  auto file = ElfFile::parse(wide, "wide.elf");
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.error().message,
              testing::HasSubstr("wide.elf: not a usable ELF file: no 32-bit"));
}

}  // namespace
}  // namespace nibble
