// Who needs the flash of a linked firmware: its symbols by section, each byte counted once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emit/emit.h"
#include "run/elf.h"
#include "run/run.h"

namespace nibble {

// What RunResult::flash_owners says of a firmware whose sections are those of
// ports/common/sections.ld.in.
std::vector<FlashOwner> flash_owners(const ElfFile& elf, const Program& program);

// A symbol that is `name`, or `name` after a prefix and before the compiler's own suffix (".0").
bool is_named(std::string_view symbol, std::string_view name);

}  // namespace nibble
