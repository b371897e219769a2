// ZIP archives in memory, as far as .npz files need them: stored and deflated entries, zip64 sizes.
// After PKWARE's APPNOTE 6.3. Inside formats/ only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace nibble {

struct ZipEntry {
  std::string name;
  std::vector<uint8_t> bytes;
};

// Every entry of the archive, unpacked and checked against its CRC. `file` stands for it in
// messages. No size in the archive is believed: an entry takes memory only as its data really
// arrive.
Result<std::vector<ZipEntry>> unzip(std::span<const uint8_t> archive, const std::string& file);

// An archive of these entries, each deflated if that makes it smaller. Error: 4 GB or more in one
// of them or in all (zip64 is read, not written).
Result<std::vector<uint8_t>> zip(const std::vector<ZipEntry>& entries);

}  // namespace nibble
