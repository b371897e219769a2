#include "lower/thumb2/rescale.h"

namespace nibble {

std::string rescale_thumb2(Assembly& code, const RescaleStage& stage, const std::string& acc,
                           const std::string& words, const std::array<std::string, 4>& temps) {
  const auto& [first, second, third, fourth] = temps;
  if (stage.form == RescaleForm::kFused) {
    code.op("ldmia {}, {{{}, {}}}", words, first, second);
    rescale_loaded_thumb2(code, stage, acc, {first, second, ""}, second, third);
    return third;
  }
  code.op("ldmia {}, {{{}, {}, {}}}", words, first, second, third);
  rescale_loaded_thumb2(code, stage, acc, {first, second, third}, fourth, first);
  return first;
}

void rescale_loaded_thumb2(Assembly& code, const RescaleStage& stage, const std::string& acc,
                           const std::array<std::string, 3>& words, const std::string& temp,
                           const std::string& out) {
  const auto& [first, second, third] = words;
  if (stage.form == RescaleForm::kFused) {
    if (temp != second) code.op("mov {}, {}", temp, second);
    code.op("mov {}, #0", out);
    code.op("smlal {}, {}, {}, {}", temp, out, acc, first);
  } else {
    code.op("lsl {0}, {0}, #2", acc);
    code.op("smull {}, {}, {}, {}", temp, out, acc, first);
    if (stage.away) {
      code.op("asr {0}, {0}, #31", acc);
      code.op("add {0}, {0}, {1}, lsl #1", out, acc);
    }
    code.op("add {0}, {0}, {1}", out, second);
    code.op("asr {0}, {0}, {1}", out, third);
  }
  code.op("ssat {0}, #8, {0}", out);
  if (stage.low > -128) {
    code.op("cmp {}, #{}", out, stage.low);
    code.op("it lt");
    code.op("movlt {}, #{}", out, stage.low);
  }
  if (stage.high < 127) {
    code.op("cmp {}, #{}", out, stage.high);
    code.op("it gt");
    code.op("movgt {}, #{}", out, stage.high);
  }
}

double rescale_cycles_thumb2(const RescaleStage& stage) {
  // SMLAL and SMULL take five cycles or so.
  double clamps = 3.0 * (stage.low > -128) + 3.0 * (stage.high < 127);
  return clamps + (stage.form == RescaleForm::kFused ? 4 + 6 + 1 : 4 + 1 + 5 + 2 * stage.away + 3);
}

}  // namespace nibble
