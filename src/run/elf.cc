#include "run/elf.h"

#include <fmt/format.h>

namespace nibble {

namespace {

constexpr uint32_t kSectionSymbols = 2, kSectionNoBits = 8;
constexpr uint32_t kFlagAllocate = 2;
constexpr size_t kHeaderBytes = 52, kSectionHeaderBytes = 40, kSymbolBytes = 16;

struct RawSection {
  uint32_t name, type, flags, address, offset, size, link;
};

// Little-endian reads that never leave the file.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool has(uint64_t offset, uint64_t len) const {
    return offset <= bytes_.size() && len <= bytes_.size() - offset;
  }
  uint32_t u32(size_t at) const {
    return static_cast<uint32_t>(bytes_[at]) | static_cast<uint32_t>(bytes_[at + 1]) << 8 |
           static_cast<uint32_t>(bytes_[at + 2]) << 16 |
           static_cast<uint32_t>(bytes_[at + 3]) << 24;
  }
  uint16_t u16(size_t at) const { return static_cast<uint16_t>(bytes_[at] | bytes_[at + 1] << 8); }
  std::span<const uint8_t> range(const RawSection& section) const {
    return bytes_.subspan(section.offset, section.size);
  }
  // The zero-terminated text at `offset` of a string section; empty if it is out of range.
  std::string text(const RawSection& strings, uint32_t offset) const {
    if (strings.type == kSectionNoBits || offset >= strings.size) return {};
    std::span<const uint8_t> rest = range(strings).subspan(offset);
    size_t len = 0;
    while (len < rest.size() && rest[len] != 0) ++len;
    return {reinterpret_cast<const char*>(rest.data()), len};
  }

 private:
  std::span<const uint8_t> bytes_;
};

Error broken(const std::string& name, std::string_view what) {
  return input_error(fmt::format("{}: not a usable ELF file: {}", name, what));
}

Result<std::vector<RawSection>> read_headers(const Reader& reader, const std::string& name) {
  uint32_t table = reader.u32(32);
  uint16_t entry_bytes = reader.u16(46), count = reader.u16(48);
  if (entry_bytes != kSectionHeaderBytes) return broken(name, "section headers of another size");
  if (!reader.has(table, uint64_t{count} * kSectionHeaderBytes))
    return broken(name, "the section headers leave the file");
  std::vector<RawSection> sections;
  for (size_t i = 0; i < count; ++i) {
    size_t at = table + i * kSectionHeaderBytes;
    RawSection section{reader.u32(at),      reader.u32(at + 4),  reader.u32(at + 8),
                       reader.u32(at + 12), reader.u32(at + 16), reader.u32(at + 20),
                       reader.u32(at + 24)};
    if (section.type != kSectionNoBits && !reader.has(section.offset, section.size))
      return broken(name, fmt::format("section {} leaves the file", i));
    sections.push_back(section);
  }
  return sections;
}

std::vector<ElfSymbol> read_symbols(const Reader& reader, const std::vector<RawSection>& sections) {
  std::vector<ElfSymbol> symbols;
  for (const RawSection& table : sections) {
    if (table.type != kSectionSymbols || table.link >= sections.size()) continue;
    for (size_t at = table.offset; at + kSymbolBytes <= size_t{table.offset} + table.size;
         at += kSymbolBytes) {
      ElfSymbol symbol;
      symbol.name = reader.text(sections[table.link], reader.u32(at));
      symbol.value = reader.u32(at + 4);
      symbol.size = reader.u32(at + 8);
      uint16_t section = reader.u16(at + 14);
      symbol.section = section > 0 && section < sections.size() ? section : -1;
      symbols.push_back(std::move(symbol));
    }
  }
  return symbols;
}

}  // namespace

Result<ElfFile> ElfFile::parse(std::vector<uint8_t> bytes, const std::string& name) {
  ElfFile file;
  file.bytes_ = std::move(bytes);
  Reader reader(file.bytes_);
  constexpr uint8_t kStart[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
  if (!reader.has(0, kHeaderBytes) ||
      !std::equal(std::begin(kStart), std::end(kStart), file.bytes_.begin()))
    return broken(name, "no 32-bit little-endian ELF header");
  file.machine_ = reader.u16(18);
  NIBBLE_ASSIGN(std::vector<RawSection> raw, read_headers(reader, name));
  uint16_t names = reader.u16(50);
  if (!raw.empty() && names >= raw.size()) return broken(name, "no section names");
  for (const RawSection& section : raw) {
    ElfSection& out = file.sections_.emplace_back();
    out.name = reader.text(raw[names], section.name);
    out.address = section.address;
    out.size = section.size;
    out.allocated = (section.flags & kFlagAllocate) != 0;
    if (section.type != kSectionNoBits) out.bytes = reader.range(section);
  }
  file.symbols_ = read_symbols(reader, raw);
  return file;
}

const ElfSection* ElfFile::section(std::string_view name) const {
  for (const ElfSection& section : sections_)
    if (section.name == name) return &section;
  return nullptr;
}

const ElfSymbol* ElfFile::symbol(std::string_view name) const {
  for (const ElfSymbol& symbol : symbols_)
    if (symbol.name == name && symbol.section >= 0) return &symbol;
  return nullptr;
}

uint32_t ElfFile::section_bytes(std::string_view name) const {
  const ElfSection* found = section(name);
  return found ? found->size : 0;
}

}  // namespace nibble
