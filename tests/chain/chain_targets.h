// The emulated boards on which the tests of this machine can run the chain.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

namespace nibble {

// Empty where the cross compiler or the emulator is missing; the other links are still tested.
inline std::vector<std::string> chain_targets() {
  bool tools = std::system("command -v arm-none-eabi-gcc qemu-system-arm >/dev/null 2>&1") == 0;
  return tools ? std::vector<std::string>{"mps2-an386"} : std::vector<std::string>{};
}

}  // namespace nibble
