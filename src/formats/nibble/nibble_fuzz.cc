// libFuzzer program for the .nibble reader. The header is made right, so that the fuzzer works on
// the text and the blob instead of guessing a checksum.
#include <zlib.h>

#include "formats/nibble/nibble.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The first zero byte ends the text.
  size_t text_bytes = 0;
  while (text_bytes < size && data[text_bytes] != 0) ++text_bytes;
  std::vector<uint8_t> bytes(nibble::kNibbleMagic.begin(), nibble::kNibbleMagic.end());
  auto put = [&](uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put(1, 4);
  put(0, 4);
  put(text_bytes, 8);
  put(size - text_bytes, 8);
  bytes.insert(bytes.end(), data, data + size);
  auto crc = crc32(0, bytes.data() + 16, static_cast<uInt>(bytes.size() - 16));
  for (size_t i = 0; i < 4; ++i) bytes[12 + i] = static_cast<uint8_t>(crc >> (8 * i));
  (void)nibble::parse_nibble(bytes, "fuzz");
  return 0;
}
