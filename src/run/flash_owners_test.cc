// Flash by owner on an ELF file built by hand here, where every byte's owner is known.
#include "run/flash_owners.h"

#include <gtest/gtest.h>

#include <map>

namespace nibble {
namespace {

void put16(std::vector<uint8_t>& bytes, size_t at, size_t value) {
  bytes[at] = static_cast<uint8_t>(value);
  bytes[at + 1] = static_cast<uint8_t>(value >> 8);
}
void put32(std::vector<uint8_t>& bytes, size_t at, size_t value) {
  put16(bytes, at, value & 0xffff);
  put16(bytes, at + 2, value >> 16);
}

struct HandSection {
  std::string name;
  uint32_t address, size;
};
struct HandSymbol {
  std::string name;
  uint32_t value, size;
  size_t section;  // index in the list of sections
};

// A file for Arm of these sections without content (.bss-like), the symbols, and one table of all
// names.
ElfFile hand_made(const std::vector<HandSection>& sections,
                  const std::vector<HandSymbol>& symbols) {
  std::string names(1, '\0');
  auto name = [&](const std::string& text) {
    const size_t at = names.size();
    names += text + '\0';
    return at;
  };
  const size_t count = sections.size() + 3, headers = 52, table = headers + count * 40,
               strings = table + (symbols.size() + 1) * 16;
  std::vector<uint8_t> bytes(strings);
  const uint8_t start[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
  std::copy(std::begin(start), std::end(start), bytes.begin());
  put16(bytes, 18, 40);
  put32(bytes, 32, headers);
  put16(bytes, 46, 40);
  put16(bytes, 48, count);
  put16(bytes, 50, count - 1);
  auto section = [&](size_t i, std::initializer_list<size_t> words) {
    size_t at = headers + i * 40;
    for (size_t word : words) put32(bytes, at, word), at += 4;
  };
  for (size_t i = 0; i < sections.size(); ++i)
    section(i + 1, {name(sections[i].name), 8, 2, sections[i].address, 0, sections[i].size, 0});
  for (size_t i = 0; i < symbols.size(); ++i) {
    const size_t at = table + (i + 1) * 16;
    put32(bytes, at, name(symbols[i].name));
    put32(bytes, at + 4, symbols[i].value);
    put32(bytes, at + 8, symbols[i].size);
    put16(bytes, at + 14, symbols[i].section + 1);
  }
  section(count - 2, {name(".symtab"), 2, 0, 0, table, strings - table, count - 1});
  const size_t own_name = name(".strtab");
  section(count - 1, {own_name, 3, 0, 0, strings, names.size(), 0});
  bytes.insert(bytes.end(), names.begin(), names.end());
  auto file = ElfFile::parse(std::move(bytes), "hand.elf");
  EXPECT_TRUE(file.ok()) << file.error().message;
  return std::move(file).value();
}

// Two layers, three constants: "b" of the first, "a_b" of both, "c" of none.
Program two_layers() {
  Program program;
  program.name = "net";
  for (const char* name : {"b", "a_b", "c"}) program.constants.push_back({name, "int8_t", {}});
  for (const char* layer : {"first", "second"}) {
    KernelCall call;
    call.layer = layer;
    program.calls.push_back(call);
  }
  program.calls[0].fields = {{"weights", ConstantRef{0}}, {"len", 7}};
  program.calls[1].fields = {{"weights", ConstantRef{1}}};
  program.calls[0].fields.emplace_back("bias", ConstantRef{1});
  return program;
}

std::map<std::string, int64_t> by_owner(const std::vector<FlashOwner>& owners) {
  std::map<std::string, int64_t> bytes;
  for (const FlashOwner& owner : owners) {
    auto [at, is_new] =
        bytes.emplace(std::string(flash_kind_name(owner.kind)) + " " + owner.owner, owner.bytes);
    EXPECT_TRUE(is_new) << at->first << " stands there twice";
  }
  return bytes;
}

TEST(FlashOwners, EveryByteHasOne) {
  const ElfFile elf = hand_made(
      {{".nibble_text", 0x100, 100},   // kernel 0x100..0x120, again 0x118..0x130, gap of 52
       {".nibble_rodata", 0x200, 64},  // b 16, a_b 20, c 4, tables 24
       {".libc_text", 0x300, 10},
       {".libc_rodata", 0x310, 6},
       {".nibble_data", 0x2000, 24},  // b's copy 8, a variable 4, 12 between
       {".libc_data", 0x2020, 2},
       {".nibble_bss", 0x3000, 500},
       {".harness_text", 0x400, 90}},
      {{"kernel.constprop.0", 0x101, 32, 0},
       {"kernel", 0x119, 24, 0},
       {"$t", 0x101, 0, 0},
       {"same_as_kernel", 0x101, 32, 0},
       {"net_b", 0x200, 16, 1},
       {"net_a_b.1", 0x210, 20, 1},
       {"net_args", 0x224, 8, 1},
       {"net_c", 0x230, 4, 1},
       {"memcpy", 0x301, 10, 2},
       {"memmove", 0x301, 10, 2},
       {"b", 0x2001, 8, 4},
       {"variable", 0x2010, 4, 4},
       {"net_arena", 0x3000, 500, 6},
       {"main", 0x401, 90, 7}});
  const std::map<std::string, int64_t> expected = {
      {"weights first", 16 + 20 + 8}, {"weights net", 4},  {"tables tables", 24},
      {"code kernel", 32 + 16},       {"code memcpy", 10}, {"other runtime", 52 + 6 + 16 + 2}};
  EXPECT_EQ(by_owner(flash_owners(elf, two_layers())), expected);
}

TEST(FlashOwners, OfNothingThereAreNone) {
  EXPECT_TRUE(flash_owners(hand_made({{".other", 0, 9}}, {}), two_layers()).empty());
}

}  // namespace
}  // namespace nibble
