#include "lower/rv32/rescale.h"

namespace nibble {

void rescale_load_rv32(Assembly& code, const std::string& words, int offset) {
  for (int word = 0; word < 3; ++word) code.op("lw t{}, {}({})", word, offset + 4 * word, words);
}

void rescale_unclamped_rv32(Assembly& code, const RescaleStage& stage, const std::string& acc) {
  code.op("slli t3, {}, 2", acc);
  code.op("mulh t3, t3, t0");
  if (stage.away) {
    code.op("srai {0}, {0}, 31", acc);
    code.op("slli {0}, {0}, 1", acc);
    code.op("add t3, t3, {}", acc);
  }
  code.op("add t3, t3, t1");
  code.op("sra t3, t3, t2");
}

void rescale_rv32(Assembly& code, const RescaleStage& stage, const std::string& acc) {
  rescale_unclamped_rv32(code, stage, acc);
  code.op("li a4, {}", stage.low);
  code.op("bge t3, a4, 8f");
  code.op("mv t3, a4");
  code.label(8);
  code.op("li a4, {}", stage.high);
  code.op("ble t3, a4, 9f");
  code.op("mv t3, a4");
  code.label(9);
}

double rescale_cycles_rv32(const RescaleStage& stage) { return 3.0 / 2 + 8 + 3 * stage.away; }

}  // namespace nibble
