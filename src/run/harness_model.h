// What the harness in ports/harness needs to know of a library, as generated C: buffers of the
// ports, how to fill, call and write them. The same text serves the emulated core and the host.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "emit/emit.h"
#include "graph/graph.h"

namespace nibble {

// The text of harness_model.h.
std::string harness_model(const Library& library);

// input.bin: the number of samples as a 32-bit word, then the bytes of every input of every sample.
// Errors: a sample with another number of tensors or of bytes than the program's inputs.
Status check_samples(const Program& program, std::span<const std::vector<Tensor>> samples);
std::vector<uint8_t> harness_input(std::span<const std::vector<Tensor>> samples);

// One sample of output.bin.
struct HarnessSample {
  uint32_t status = 0;              // what NAME_invoke returned
  uint32_t stack_bytes = 0;         // below the caller's frame, at its deepest
  uint32_t caller_stack_bytes = 0;  // what the harness itself had on the stack at the call
  std::vector<Tensor> outputs;
};
// Bytes of one sample in output.bin.
size_t harness_sample_bytes(const Program& program);
// Errors: the file is shorter or longer than `samples` samples.
Result<std::vector<HarnessSample>> harness_output(std::span<const uint8_t> bytes,
                                                  const Program& program, size_t samples);

}  // namespace nibble
