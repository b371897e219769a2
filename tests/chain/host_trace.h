// What every kernel call of an emitted library leaves in its dst, on this machine: how a wrong
// output is traced to the first layer that differs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "emit/emit.h"

namespace nibble {

Result<std::vector<std::vector<uint8_t>>> trace_on_host(const Library& library,
                                                        const Program& program,
                                                        const MemoryPlan& plan,
                                                        const std::vector<Tensor>& sample);

}  // namespace nibble
