// Checks of fused activations.
#include "ops/bounds.h"

#include "base/text.h"

namespace nibble {

Status check_bounds(const Bounds& act) {
  if (act.min <= act.max) return {};
  return input_error(
      fmt::format("clamps its output to [{}, {}]; the first bound must not be above the second",
                  format_float(act.min), format_float(act.max)));
}

}  // namespace nibble
