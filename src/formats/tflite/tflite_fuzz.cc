// libFuzzer program for the TFLite reader: any bytes give an error or a graph that verifies, and
// that goes through all passes.
#include "formats/formats.h"
#include "fuzz/simplify_accepted.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  nibble::simplify_accepted(nibble::parse_tflite({data, size}, "fuzz.tflite"));
  return 0;
}
