// Cycles of straight assembly on a Cortex-M4 without flash wait states, for the choice among
// variants.
#pragma once

#include "lower/assembly.h"

namespace nibble {

// A load takes 2 cycles, 1 after another load; each register of a multiple load or store 1 and the
// instruction 1 more; a branch back 3 (taken), one forward 1 (seldom taken); the rest 1.
double thumb2_cycles(const Assembly& code);

}  // namespace nibble
