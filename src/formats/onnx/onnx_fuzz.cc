// libFuzzer: no bytes crash the ONNX reader.
#include "formats/formats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  [[maybe_unused]] auto graph = nibble::parse_onnx({data, size}, "fuzz.onnx");
  return 0;
}
