#include "lower/thumb/rescale.h"

namespace nibble {

void rescale_thumb(Assembly& code, const RescaleStage& stage, int acc) {
  code.op("ldmia r1!, {{r2, r3}}");
  code.op("cmp r{}, r2", acc);
  code.op("bge 8f");
  code.op("movs r{}, r2", acc);
  code.label(8);
  code.op("cmp r{}, r3", acc);
  code.op("ble 9f");
  code.op("movs r{}, r3", acc);
  code.label(9);
  if (stage.form == RescaleForm::kSingle) {
    code.op("ldmia r1!, {{r2, r3}}");
    code.op("muls r2, r{}, r2", acc);
    code.op("adds r2, r2, r3");
    code.op("asrs r2, r2, #24");
    return;
  }
  code.op("ldmia r1!, {{r2-r5}}");
  code.op("muls r2, r{}, r2", acc);
  code.op("muls r3, r{}, r3", acc);
  code.op("asrs r3, r3, r5");
  code.op("adds r2, r2, r3");
  code.op("adds r2, r2, r4");
  if (stage.away) {
    code.op("ldmia r1!, {{r3}}");
    code.op("asrs r{0}, r{0}, #31", acc);
    code.op("ands r3, r3, r{}", acc);
    code.op("adds r2, r2, r3");
  }
  code.op("asrs r2, r2, #22");
}

double rescale_cycles_thumb(const RescaleStage& stage) {
  double clamps = 3 + 2 * 3;
  return clamps + (stage.form == RescaleForm::kSingle ? 3 + 3 : 5 + 6 + 5 * stage.away);
}

}  // namespace nibble
