#include "run/harness_model.h"

#include <fmt/format.h>

#include <cstring>

#include "base/text.h"

namespace nibble {

namespace {

int64_t port_bytes(const ProgramPort& port) {
  return elem_count(port.type.shape) * dtype_bytes(port.type.dtype);
}

struct PortText {
  std::string buffers, allocate, release, arguments, transfer;
};

void add_port(const Library& library, const LibraryPort& port, const std::string& name,
              bool is_input, PortText& text) {
  text.buffers += fmt::format("static {} *{};\n", port.ctype, name);
  text.allocate +=
      fmt::format("  NIBBLE_HARNESS_ALLOCATE({0}, {1}, {2}_{3}_in({2}_static_arena())) \\\n", name,
                  port.bytes, library.name, port.c_name);
  text.release += fmt::format("  NIBBLE_HARNESS_FREE({}) \\\n", name);
  text.arguments += fmt::format("{}{}", text.arguments.empty() ? "" : ", ", name);
  text.transfer +=
      fmt::format("{}nibble_host_{}(file, {}, {}) == 0", text.transfer.empty() ? "" : " && ",
                  is_input ? "read" : "write", name, port.bytes);
}

void append_word(std::vector<uint8_t>& bytes, uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
}

uint32_t read_word(std::span<const uint8_t> bytes, size_t at) {
  return bytes[at] | static_cast<uint32_t>(bytes[at + 1]) << 8 |
         static_cast<uint32_t>(bytes[at + 2]) << 16 | static_cast<uint32_t>(bytes[at + 3]) << 24;
}

constexpr size_t kSampleHeaderBytes = 12;

}  // namespace

std::string harness_model(const Library& library) {
  PortText inputs, outputs;
  for (size_t i = 0; i < library.inputs.size(); ++i)
    add_port(library, library.inputs[i], fmt::format("harness_input_{}", i), true, inputs);
  for (size_t i = 0; i < library.outputs.size(); ++i)
    add_port(library, library.outputs[i], fmt::format("harness_output_{}", i), false, outputs);
  std::string arguments = inputs.arguments;
  if (!arguments.empty() && !outputs.arguments.empty()) arguments += ", ";
  arguments += outputs.arguments;
  std::string comma = arguments.empty() ? "" : ", ";
  auto expression = [](const std::string& text) { return text.empty() ? "1" : text; };
  return fmt::format(
      "/* The ports of {0}, for the harness. */\n"
      "#include \"{0}.h\"\n"
      "#include \"harness_buffers.h\"\n\n"
      "{1}{2}\n"
      "#define NIBBLE_HARNESS_ARENA_BYTES {3}_ARENA_BYTES\n"
      "#define NIBBLE_HARNESS_ARENA_ALIGN {3}_ARENA_ALIGN\n"
      "#define NIBBLE_HARNESS_ALLOCATE_ALL() \\\n{4}{5}\n"
      "#define NIBBLE_HARNESS_FREE_ALL() \\\n{6}{7}\n"
      "#define NIBBLE_HARNESS_INVOKE() {0}_invoke({8})\n"
      "#define NIBBLE_HARNESS_INVOKE_IN(arena) {0}_invoke_in(arena{9}{8})\n"
      "#define NIBBLE_HARNESS_READ(file) ({10})\n"
      "#define NIBBLE_HARNESS_WRITE(file) ({11})\n",
      library.name, inputs.buffers, outputs.buffers, library.macro_prefix, inputs.allocate,
      outputs.allocate, inputs.release, outputs.release, arguments, comma,
      expression(inputs.transfer), expression(outputs.transfer));
}

Status check_samples(const Program& program, std::span<const std::vector<Tensor>> samples) {
  for (size_t s = 0; s < samples.size(); ++s) {
    if (samples[s].size() != program.inputs.size())
      return input_error(fmt::format("sample {} has {} tensors, but '{}' has {} inputs", s,
                                     samples[s].size(), program.name, program.inputs.size()));
    for (size_t i = 0; i < samples[s].size(); ++i) {
      const ProgramPort& port = program.inputs[i];
      const Tensor& tensor = samples[s][i];
      if (tensor.dtype() != port.type.dtype || tensor.size() != elem_count(port.type.shape))
        return input_error(fmt::format("sample {}: input '{}' of '{}' takes {}[{}], not {}[{}]", s,
                                       port.name, program.name, dtype_name(port.type.dtype),
                                       format_shape(port.type.shape), dtype_name(tensor.dtype()),
                                       format_shape(tensor.shape())));
    }
  }
  return {};
}

std::vector<uint8_t> harness_input(std::span<const std::vector<Tensor>> samples) {
  std::vector<uint8_t> bytes;
  append_word(bytes, static_cast<uint32_t>(samples.size()));
  for (const std::vector<Tensor>& sample : samples)
    for (const Tensor& tensor : sample)
      bytes.insert(bytes.end(), tensor.bytes().begin(), tensor.bytes().end());
  return bytes;
}

size_t harness_sample_bytes(const Program& program) {
  size_t bytes = kSampleHeaderBytes;
  for (const ProgramPort& port : program.outputs) bytes += static_cast<size_t>(port_bytes(port));
  return bytes;
}

Result<std::vector<HarnessSample>> harness_output(std::span<const uint8_t> bytes,
                                                  const Program& program, size_t samples) {
  const size_t sample_bytes = harness_sample_bytes(program);
  if (bytes.size() != samples * sample_bytes)
    return input_error(fmt::format("the firmware of '{}' wrote {} bytes of outputs instead of {}",
                                   program.name, bytes.size(), samples * sample_bytes));
  std::vector<HarnessSample> results(samples);
  size_t at = 0;
  for (HarnessSample& result : results) {
    result.status = read_word(bytes, at);
    result.stack_bytes = read_word(bytes, at + 4);
    result.caller_stack_bytes = read_word(bytes, at + 8);
    at += kSampleHeaderBytes;
    for (const ProgramPort& port : program.outputs) {
      Tensor& tensor = result.outputs.emplace_back(port.type);
      std::span<uint8_t> dst = tensor.mutable_bytes();
      if (!dst.empty()) std::memcpy(dst.data(), bytes.data() + at, dst.size());
      at += dst.size();
    }
  }
  return results;
}

}  // namespace nibble
