#include "lower/thumb/rescale.h"

namespace nibble {

namespace {

// r`multiplier` := the sum of its products with r`acc`; r`temp` is lost.
void double_product(Assembly& code, int split, int acc, int multiplier, int temp) {
  code.op("lsrs r{}, r{}, #{}", temp, multiplier, split);
  code.op("lsls r{0}, r{0}, #{1}", multiplier, 32 - split);
  code.op("lsrs r{0}, r{0}, #{1}", multiplier, 32 - split);
  code.op("muls r{0}, r{1}, r{0}", temp, acc);
  code.op("muls r{0}, r{1}, r{0}", multiplier, acc);
  code.op("asrs r{0}, r{0}, #{1}", multiplier, split);
  code.op("adds r{0}, r{0}, r{1}", multiplier, temp);
}

void clamp(Assembly& code, int acc, int least, int most) {
  code.op("cmp r{}, r{}", acc, least);
  code.op("bge 8f");
  code.op("movs r{}, r{}", acc, least);
  code.label(8);
  code.op("cmp r{}, r{}", acc, most);
  code.op("ble 9f");
  code.op("movs r{}, r{}", acc, most);
  code.label(9);
}

}  // namespace

void rescale_thumb(Assembly& code, const RescaleStage& stage, int acc) {
  if (stage.away) {
    code.op("ldmia r1!, {{r2, r3}}");
    clamp(code, acc, 2, 3);
    code.op("ldmia r1!, {{r2, r3, r4}}");
    double_product(code, stage.split, acc, 2, 5);
    code.op("adds r2, r2, r3");
    code.op("asrs r{0}, r{0}, #31", acc);
    code.op("ands r4, r4, r{}", acc);
    code.op("adds r2, r2, r4");
    code.op("asrs r2, r2, #22");
    return;
  }
  code.op("ldmia r1!, {{r2, r3, r4}}");
  code.op("rsbs r5, r2, #0");
  clamp(code, acc, 5, 2);
  if (stage.form == RescaleForm::kSingle)
    code.op("muls r3, r{}, r3", acc);
  else
    double_product(code, stage.split, acc, 3, 5);
  code.op("adds r2, r3, r4");
  code.op("asrs r2, r2, #{}", stage.form == RescaleForm::kSingle ? 24 : 22);
}

double rescale_cycles_thumb(const RescaleStage& stage) {
  double loads_and_clamps = 5 + 2 * 3;
  return loads_and_clamps + (stage.form == RescaleForm::kSingle ? 3 : 9 + (stage.away ? 6 : 0));
}

}  // namespace nibble
