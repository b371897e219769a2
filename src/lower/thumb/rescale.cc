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

void load_number(Assembly& code, int to, int value) {
  code.op("movs r{}, #{}", to, std::abs(value));
  if (value < 0) code.op("rsbs r{0}, r{0}, #0", to);
}

// The upper word of a product from those of halves: with a = ah : al and m = mh : ml, u = ah * ml +
// (al * ml >> 16) it is ah * mh + (u >> 16) + (al * mh + (u & 0xffff) >> 16). None leaves 32 bits,
// because m is positive.
void rescale_high(Assembly& code, const RescaleStage& stage, int acc) {
  code.op("ldmia r1!, {{r2}}");
  code.op("lsls r{0}, r{0}, #2", acc);
  code.op("uxth r3, r2");
  code.op("lsrs r2, r2, #16");
  code.op("uxth r4, r{}", acc);
  code.op("asrs r{0}, r{0}, #16", acc);
  code.op("movs r5, r3");
  code.op("muls r5, r4, r5");
  code.op("lsrs r5, r5, #16");
  code.op("muls r3, r{}, r3", acc);
  code.op("adds r3, r3, r5");
  code.op("muls r4, r2, r4");
  code.op("muls r2, r{}, r2", acc);
  code.op("asrs r5, r3, #16");
  code.op("adds r2, r2, r5");
  code.op("uxth r3, r3");
  code.op("adds r4, r4, r3");
  code.op("lsrs r4, r4, #16");
  code.op("adds r2, r2, r4");
  if (stage.away) {
    code.op("asrs r{0}, r{0}, #31", acc);
    code.op("lsls r{0}, r{0}, #1", acc);
    code.op("adds r2, r2, r{}", acc);
  }
  code.op("ldmia r1!, {{r3, r4}}");
  code.op("adds r2, r2, r3");
  code.op("asrs r2, r2, r4");
  load_number(code, 3, stage.low);
  load_number(code, 4, stage.high);
  clamp(code, 2, 3, 4);
}

}  // namespace

void rescale_thumb(Assembly& code, const RescaleStage& stage, int acc) {
  if (stage.form == RescaleForm::kHigh) return rescale_high(code, stage, acc);
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

void rescale_begin_single_thumb(Assembly& code) {
  code.op("ldmia r1!, {{r4-r6}}");
  code.op("rsbs r3, r4, #0");
}

void rescale_single_thumb(Assembly& code, const char* acc) {
  code.op("mov r2, {}", acc);
  clamp(code, 2, 3, 4);
  code.op("muls r2, r5, r2");
  code.op("adds r2, r2, r6");
  code.op("asrs r2, r2, #24");
}

double rescale_cycles_thumb(const RescaleStage& stage) {
  if (stage.form == RescaleForm::kHigh) return 34 + 3 * stage.away;
  double loads_and_clamps = 5 + 2 * 3;
  return loads_and_clamps + (stage.form == RescaleForm::kSingle ? 3 : 9 + (stage.away ? 6 : 0));
}

}  // namespace nibble
