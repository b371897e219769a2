// What every kernel call left in its dst on the emulated core, for one sample: how a wrong output
// is traced to the first layer that differs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/result.h"
#include "run/firmware.h"

namespace nibble {

// For each call, the bytes of its dst buffer after it. `memory`: where the firmware is linked.
Result<std::vector<std::vector<uint8_t>>> trace_layers(
    FirmwareBuilder& builder, const FirmwareMemory& memory, const Library& library,
    const Program& program, const RunOptions& options, const std::vector<Tensor>& sample,
    const std::filesystem::path& dir);

}  // namespace nibble
