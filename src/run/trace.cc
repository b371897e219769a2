#include "run/trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "plan/plan.h"
#include "run/emulator.h"

namespace nibble {

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
  const std::vector<TracePoint> points = trace_points(program, offsets);
  if (images.size() != image_bytes * points.size())
    return input_error(fmt::format("the trace of '{}' has {} bytes instead of {} (a bug of nibble)",
                                   library.name, images.size(), image_bytes * points.size()));
  // Layers whose place the arena does not hold stay empty.
  std::vector<std::vector<uint8_t>> trace(layer_calls(program).size());
  for (size_t i = 0; i < points.size(); ++i) {
    const TracePoint& point = points[i];
    if (point.offset < 0 || point.offset > library.arena_bytes - point.bytes) continue;
    trace[point.layer].resize(static_cast<size_t>(point.of_bytes));
    std::copy_n(images.begin() + static_cast<std::ptrdiff_t>(i * image_bytes) + point.offset,
                point.bytes, trace[point.layer].begin() + point.dst_offset_bytes);
  }
  return trace;
}

}  // namespace nibble
