#include "lower/dsp/timing.h"

#include <string_view>

namespace nibble {
namespace {

// Registers between the braces: "{r0-r2, r12}" is 4. Lists here name ranges by r-numbers alone.
int listed_registers(std::string_view line) {
  size_t open = line.find('{'), close = line.find('}');
  int count = 0, first = -1, number = -1;
  auto end_item = [&] {
    if (number >= 0) count += first >= 0 ? number - first + 1 : 1;
    first = number = -1;
  };
  for (size_t i = open + 1; i < close; ++i) {
    char c = line[i];
    if (c >= '0' && c <= '9') number = std::max(number, 0) * 10 + (c - '0');
    if (c == 'l' || c == 'p') number = 0;
    if (c == '-') first = number, number = -1;
    if (c == ',') end_item();
  }
  end_item();
  return count;
}

}  // namespace

double thumb2_cycles(const Assembly& code) {
  double cycles = 0;
  bool after_load = false;
  for (std::string_view line : code.lines()) {
    if (!line.starts_with('\t')) continue;
    line.remove_prefix(1);
    bool load = false;
    if (line.starts_with("ldm") || line.starts_with("stm") || line.starts_with("push") ||
        line.starts_with("pop"))
      cycles += 1 + listed_registers(line);
    else if (line.starts_with("ldrd"))
      cycles += 3;
    else if (line.starts_with("strd"))
      cycles += 2;
    else if (line.starts_with("ldr"))
      cycles += after_load ? 1 : 2, load = true;
    else if (line.starts_with("b") && line.ends_with('b'))
      cycles += 3;
    else
      cycles += 1;
    after_load = load;
  }
  return cycles;
}

}  // namespace nibble
