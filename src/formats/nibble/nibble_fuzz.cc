// libFuzzer program for the .nibble reader, and all passes on what it accepts. The input is a file
// without its header, a zero byte between text and blob. The header is made right, so that the
// fuzzer works on the text and the blob instead of guessing a checksum.
#include <zlib.h>

#include <algorithm>

#include "formats/nibble/nibble.h"
#include "fuzz/simplify_accepted.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const uint8_t* text_end = std::find(data, data + size, 0);
  const uint8_t* blob = std::min(text_end + 1, data + size);
  std::vector<uint8_t> bytes(nibble::kNibbleMagic.begin(), nibble::kNibbleMagic.end());
  auto put = [&](uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put(1, 4);
  put(0, 4);
  put(static_cast<uint64_t>(text_end - data), 8);
  put(static_cast<uint64_t>(data + size - blob), 8);
  bytes.insert(bytes.end(), data, text_end);
  bytes.insert(bytes.end(), blob, data + size);
  auto crc = crc32(0, bytes.data() + 16, static_cast<uInt>(bytes.size() - 16));
  for (size_t i = 0; i < 4; ++i) bytes[12 + i] = static_cast<uint8_t>(crc >> (8 * i));
  nibble::simplify_accepted(nibble::parse_nibble(bytes, "fuzz"));
  return 0;
}
