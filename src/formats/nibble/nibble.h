// The .nibble file: a graph as text, its constants as bytes.
//
//   offset  bytes
//   0       8      magic: 89 'N' 'I' 'B' 'B' 'L' 'E' 0A
//   8       4      version, 1
//   12      4      CRC-32 (zlib's) of everything from offset 16 on
//   16      8      bytes of the text
//   24      8      bytes of the blob
//   32             the text (graph/text.h, constants as blob:OFFSET), then the blob
//
// All numbers are little-endian. The first byte is not ASCII and the last of the magic is a line
// feed, so that a file mangled by a text-mode copy is recognised (as in PNG).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "formats/formats.h"

namespace nibble {

inline constexpr std::array<uint8_t, 8> kNibbleMagic = {0x89, 'N', 'I', 'B', 'B', 'L', 'E', '\n'};

// Whether the bytes start as a .nibble file does; read_model tells the kinds of files apart with
// it.
bool is_nibble(std::span<const uint8_t> bytes);

}  // namespace nibble
