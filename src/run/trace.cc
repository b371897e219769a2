#include "run/trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "plan/plan.h"
#include "run/emulator.h"

namespace nibble {

namespace {

// The bytes of a call's dst in an image of the arena taken after the call.
std::vector<uint8_t> dst_bytes(const Program& program, const KernelCall& call,
                               const std::vector<int64_t>& offsets,
                               std::span<const uint8_t> arena) {
  for (const Operand& operand : call.operands) {
    if (operand.role != Operand::Role::kDst || operand.buffer < 0) continue;
    auto index = static_cast<size_t>(operand.buffer);
    if (index >= offsets.size() || offsets[index] < 0) return {};
    auto begin = static_cast<size_t>(offsets[index]);
    auto len = static_cast<size_t>(program.buffers[index].bytes);
    if (begin > arena.size() || len > arena.size() - begin) return {};
    return {arena.begin() + static_cast<std::ptrdiff_t>(begin),
            arena.begin() + static_cast<std::ptrdiff_t>(begin + len)};
  }
  return {};
}

}  // namespace

Result<std::vector<std::vector<uint8_t>>> trace_layers(
    FirmwareBuilder& builder, const FirmwareMemory& memory, const Library& library,
    const Program& program, const RunOptions& options, const std::vector<Tensor>& sample,
    const std::filesystem::path& dir) {
  std::vector<int64_t> offsets = options.buffer_offsets;
  if (offsets.empty()) {
    NIBBLE_ASSIGN(MemoryPlan planned, plan(program));
    offsets = planned.offsets;
  }
  // The extra code of a trace need not fit the target.
  FirmwareMemory roomy = builder.machine_memory();
  roomy.stack_bytes = std::max(roomy.stack_bytes, memory.stack_bytes);
  NIBBLE_ASSIGN(Firmware firmware, builder.build(Hooks::kTrace, roomy));
  EmulatorJob job{
      &firmware, &builder.machine(), &library, &program, options.timeout_seconds, dir, {}, nullptr};
  std::vector<std::vector<Tensor>> samples = {sample};
  NIBBLE_TRY(emulate(job, samples));
  NIBBLE_ASSIGN(std::vector<uint8_t> images, read_file(dir / "trace.bin"));
  auto image_bytes = static_cast<size_t>(library.arena_bytes);
  if (images.size() != image_bytes * program.calls.size())
    return input_error(fmt::format("the trace of '{}' has {} bytes instead of {} (a bug of nibble)",
                                   library.name, images.size(),
                                   image_bytes * program.calls.size()));
  std::vector<std::vector<uint8_t>> trace;
  for (size_t i = 0; i < program.calls.size(); ++i)
    trace.push_back(dst_bytes(program, program.calls[i], offsets,
                              std::span(images).subspan(i * image_bytes, image_bytes)));
  return trace;
}

}  // namespace nibble
