// Reads sections and symbols of a 32-bit little-endian ELF file, which is what the cross-linkers
// write for every core here. Every offset and size is checked against the file. See "Tool Interface
// Standard: Executable and Linking Format", 1.2.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nibble {

struct ElfSection {
  std::string name;
  uint32_t address = 0;
  uint32_t size = 0;               // in memory
  bool allocated = false;          // takes memory in the target
  std::span<const uint8_t> bytes;  // in the file; empty for .bss
};

struct ElfSymbol {
  std::string name;
  uint32_t value = 0;  // of a Thumb function: its address + 1
  uint32_t size = 0;
  int section = -1;  // index in sections; -1: absolute or undefined
};

class ElfFile {
 public:
  // `name` stands for the file in messages.
  static Result<ElfFile> parse(std::vector<uint8_t> bytes, const std::string& name);
  ElfFile(ElfFile&&) = default;
  ElfFile& operator=(ElfFile&&) = default;
  ElfFile(const ElfFile&) = delete;  // the sections point into the file's own bytes
  ElfFile& operator=(const ElfFile&) = delete;

  bool is_arm() const { return machine_ == 40; }
  const std::vector<ElfSection>& sections() const { return sections_; }
  const std::vector<ElfSymbol>& symbols() const { return symbols_; }
  // Null if there is none.
  const ElfSection* section(std::string_view name) const;
  const ElfSymbol* symbol(std::string_view name) const;
  // Size in memory of a section, 0 if there is none.
  uint32_t section_bytes(std::string_view name) const;

 private:
  ElfFile() = default;
  std::vector<uint8_t> bytes_;  // what the sections' spans point into
  uint16_t machine_ = 0;
  std::vector<ElfSection> sections_;
  std::vector<ElfSymbol> symbols_;
};

}  // namespace nibble
