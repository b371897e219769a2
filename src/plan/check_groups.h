// The part of check_plan that proves groups of calls. Inside plan/ only.
#pragma once

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// The program has passed verify_program. The error names group and band.
Status check_groups(const Program& program);

}  // namespace nibble
