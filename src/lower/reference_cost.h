// What the reference kernels (kernels/FAMILY/) cost, for the choice among a layer's
// implementations.
#pragma once

#include "lower/variant.h"

namespace nibble {

// Cycles of the layer by its family's reference kernel on a core with the options' instruction
// sets: taps outside the image cost nothing there. Fitted to counted layers of random shapes;
// tests/chain/choice_test.cc holds the choices that follow to what is counted.
double reference_cycles(const KernelRequest& request, const LowerOptions& options);

// Code of a family's reference kernel, and the constants of a layer.
int64_t reference_code_bytes(std::string_view family);
int64_t reference_constant_bytes(const KernelRequest& request);

}  // namespace nibble
