// libFuzzer: no bytes crash the ONNX reader, and what it accepts goes through all passes.
#include "formats/formats.h"
#include "fuzz/simplify_accepted.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  nibble::simplify_accepted(nibble::parse_onnx({data, size}, "fuzz.onnx"));
  return 0;
}
