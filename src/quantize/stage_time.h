// How long the parts of a quantization took.
#pragma once

#include <string>
#include <vector>

namespace nibble {

struct StageTime {
  std::string name;  // "calibration", a method's name, ...
  double seconds = 0;
};

}  // namespace nibble
