#include "run/flash_owners.h"

#include <algorithm>
#include <map>

namespace nibble {

namespace {

// Where symbols have a part of a section to themselves. Several may share bytes: functions and
// constants that the linker or compiler found equal, and names that the C library has twice.
struct Part {
  std::string_view name;  // without the compiler's suffix
  int64_t bytes = 0;      // those that no part before it has
};

// "conv.constprop.0" → "conv"
std::string_view without_suffix(std::string_view symbol) {
  return symbol.substr(0, symbol.find('.', 1));
}

std::vector<Part> parts_of(const ElfFile& elf, std::string_view section, bool is_code) {
  struct Range {
    int64_t begin, end;
    std::string_view name;
  };
  std::vector<Range> ranges;
  for (const ElfSymbol& symbol : elf.symbols()) {
    if (symbol.section < 0 || symbol.size == 0) continue;
    if (elf.sections()[static_cast<size_t>(symbol.section)].name != section) continue;
    const int64_t begin = is_code && elf.is_arm() ? symbol.value & ~1u : symbol.value;
    ranges.push_back({begin, begin + symbol.size, without_suffix(symbol.name)});
  }
  std::ranges::stable_sort(ranges, {}, &Range::begin);
  const ElfSection* found = elf.section(section);
  int64_t covered = found ? found->address : 0;
  const int64_t end = found ? int64_t{found->address} + found->size : 0;
  std::vector<Part> parts;
  for (const Range& range : ranges) {
    const int64_t begin = std::max(range.begin, covered), last = std::min(range.end, end);
    if (last <= begin) continue;
    parts.push_back({range.name, last - begin});
    covered = last;
  }
  return parts;
}

// The name of the layer that a constant is of, by the symbol; empty: no constant of the program.
class ConstantLayers {
 public:
  explicit ConstantLayers(const Program& program) : program_(program) {
    const std::vector<const KernelCall*> layers = layer_calls(program);
    for (int first : first_layers_of_constants(program))
      layers_.push_back(first < 0 ? program.name : layers[static_cast<size_t>(first)]->layer);
  }

  // Of the constants that the symbol may stand for, the one with the longest name: "a_b" is not
  // "b" of a library called "a".
  std::string layer(std::string_view symbol) const {
    size_t longest = 0;
    std::string found;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const std::string& name = program_.constants[i].name;
      if (name.size() <= longest || !is_named(symbol, name)) continue;
      longest = name.size();
      found = layers_[i];
    }
    return found;
  }

 private:
  const Program& program_;
  std::vector<std::string> layers_;  // per constant
};

// Bytes by owner, in the order in which the owners were first seen.
class Owners {
 public:
  void add(FlashOwner::Kind kind, std::string_view owner, int64_t bytes) {
    if (bytes == 0) return;
    auto [at, is_new] = index_.try_emplace({kind, std::string(owner)}, owners_.size());
    if (is_new) owners_.push_back({std::string(owner), kind, 0});
    owners_[at->second].bytes += bytes;
  }
  std::vector<FlashOwner> take() { return std::move(owners_); }

 private:
  std::map<std::pair<FlashOwner::Kind, std::string>, size_t> index_;
  std::vector<FlashOwner> owners_;
};

}  // namespace

std::string_view flash_kind_name(FlashOwner::Kind kind) {
  switch (kind) {
    case FlashOwner::Kind::kWeights:
      return "weights";
    case FlashOwner::Kind::kCode:
      return "code";
    case FlashOwner::Kind::kTables:
      return "tables";
    case FlashOwner::Kind::kOther:
      break;
  }
  return "other";
}

bool is_named(std::string_view symbol, std::string_view name) {
  symbol = without_suffix(symbol);
  if (symbol == name) return true;
  return symbol.size() > name.size() + 1 && symbol.ends_with(name) &&
         symbol[symbol.size() - name.size() - 1] == '_';
}

std::vector<FlashOwner> flash_owners(const ElfFile& elf, const Program& program) {
  using Kind = FlashOwner::Kind;
  const ConstantLayers constants(program);
  Owners owners;
  // Weights that start-up copies to RAM lie among the initial values of variables.
  for (std::string_view section : {".nibble_rodata", ".nibble_data"}) {
    const bool constant = section == ".nibble_rodata";
    int64_t rest = elf.section_bytes(section);
    for (const Part& part : parts_of(elf, section, false)) {
      const std::string layer = constants.layer(part.name);
      if (layer.empty()) continue;
      owners.add(Kind::kWeights, layer, part.bytes);
      rest -= part.bytes;
    }
    owners.add(constant ? Kind::kTables : Kind::kOther, constant ? "tables" : "runtime", rest);
  }
  for (std::string_view section : {".nibble_text", ".libc_text"}) {
    int64_t rest = elf.section_bytes(section);
    for (const Part& part : parts_of(elf, section, true)) {
      owners.add(Kind::kCode, part.name, part.bytes);
      rest -= part.bytes;
    }
    owners.add(Kind::kOther, "runtime", rest);
  }
  for (std::string_view section : {".libc_rodata", ".libc_data"})
    owners.add(Kind::kOther, "runtime", elf.section_bytes(section));
  return owners.take();
}

}  // namespace nibble
