// libFuzzer program for the TFLite reader: any bytes give an error or a graph that verifies.
#include "formats/formats.h"
#include "ops/ops.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto graph = nibble::parse_tflite({data, size}, "fuzz.tflite");
  if (graph.ok()) {
    auto status = nibble::verify_graph(*graph, nibble::VerifyLevel::kImported);
    NIBBLE_CHECK(status.ok(), "{}", status.error().message);
  }
  return 0;
}
