// libFuzzer: no bytes crash the readers of .npy and .npz. (Their decoders' libraries, stb_image and
// libsndfile, are not fuzzed here.)
#include "formats/formats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] auto array = nibble::parse_npy({data, size}, "fuzz.npy");
  [[maybe_unused]] auto archive = nibble::parse_npz({data, size}, "fuzz.npz");
  return 0;
}
