// Lines of a depthwise convolution (kernels/depthwise_conv2d/depthwise_conv2d_s8_planes.h) on
// ARMv6-M: accumulators in the upper registers, for each tap two loads, an addition, and MULS, ADD
// per output.
#include "lower/scalar/planes.h"
#include "lower/thumb/rescale.h"

namespace nibble {
namespace {

// Upper registers, r13 left out.
std::string acc(int output) { return output < 5 ? fmt::format("r{}", 8 + output) : "lr"; }

// r0 words of the plane, r1 list of taps, r2-r5 elements, r6 weight, r7 distance.
void tap(Assembly& code, int outputs) {
  code.op("ldmia r1!, {{r6, r7}}");
  code.op("adds r0, r0, r7");
  int first = outputs > 4 ? (outputs + 1) / 2 : outputs;
  for (int done = 0; done < outputs; done += first) {
    int count = std::min(first, outputs - done);
    if (count == 1)
      code.op("ldmia r0!, {{r2}}");
    else
      code.op("ldmia r0!, {{r2-r{}}}", 1 + count);
    for (int i = 0; i < count; ++i) code.op("muls r{0}, r6, r{0}", 2 + i);
    for (int i = 0; i < count; ++i) code.op("add {}, r{}", acc(done + i), 2 + i);
  }
}

constexpr int kFull = 20;
// On the stack: the line, then the words of the rescaling.
constexpr int kLine = 0, kWords = 4;

void outputs_with_constants(Assembly& code, const PlanesLine& line) {
  // r0 dst, r1 its step, r3-r6 the words.
  for (int i = line.outputs; i > 0; --i) {
    code.label(kFull + i);
    rescale_single_thumb(code, acc(i - 1).c_str());
    code.op("subs r0, r0, r1");
    code.op("strb r2, [r0]");
  }
}

void outputs_with_words(Assembly& code, const PlanesLine& line) {
  // r0 dst, r7 its step.
  for (int i = line.outputs; i > 0; --i) {
    code.label(kFull + i);
    code.op("mov r6, {}", acc(i - 1));
    code.op("ldr r1, [sp, #{}]", kWords);
    rescale_thumb(code, line.stage, 6);
    code.op("subs r0, r0, r7");
    code.op("strb r2, [r0]");
  }
}

// Stores the outputs from the last to the first; fewer at the end of the line.
void store(Assembly& code, const PlanesLine& line) {
  code.op("ldr r7, [sp, #{}]", kLine);
  code.op("ldmia r7!, {{r0-r3}}");  // words of the plane, dst, step, count
  code.op("subs r7, r7, #16");
  code.op("adds r0, r0, #{}", 4 * line.outputs);
  code.op("str r0, [r7, #{}]", kLineX);
  code.op("movs r4, #{}", line.outputs);
  code.op("movs r5, r4");
  code.op("muls r5, r2, r5");
  code.op("adds r5, r5, r1");
  code.op("str r5, [r7, #{}]", kLineDst);
  code.op("movs r0, r5");
  code.op("subs r6, r3, r4");
  code.op("str r6, [r7, #{}]", kLineCount);
  code.op("bge 1f");
  code.op("muls r6, r2, r6");
  code.op("adds r0, r0, r6");  // the end of what exists
  code.label(1);
  code.op("movs r7, r3");
  if (line.stage.form == RescaleForm::kSingle) {
    code.op("movs r1, r2");
    code.op("ldr r2, [sp, #{}]", kWords);
    code.op("ldmia r2!, {{r4-r6}}");
    code.op("rsbs r3, r4, #0");
    code.op("movs r2, r7");
  } else {
    code.op("movs r7, r2");
    code.op("movs r2, r3");
  }
  code.op("cmp r2, #{}", line.outputs);
  code.op("blt 1f");
  code.op("b {}f", kFull + line.outputs);
  code.label(1);
  for (int i = 1; i < line.outputs; ++i) {
    code.op("cmp r2, #{}", i);
    code.op("bne 1f");
    code.op("b {}f", kFull + i);
    code.label(1);
  }
  if (line.stage.form == RescaleForm::kSingle)
    outputs_with_constants(code, line);
  else
    outputs_with_words(code, line);
}

Assembly body(const PlanesLine& line) {
  Assembly code;
  code.op("push {{r4-r7, lr}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 4 + i, 8 + i);
  code.op("push {{r4-r7}}");
  code.op("ldr r1, [r0, #{}]", kLineRescale);
  code.op("adds r1, r1, #4");
  code.op("push {{r0, r1}}");
  code.label(10);
  code.op("ldr r1, [r0, #{}]", kLineRescale);
  code.op("ldr r2, [r1]");
  code.op("ldr r1, [r0, #{}]", kLineTaps);
  code.op("ldr r0, [r0, #{}]", kLineX);
  for (int i = 0; i < line.outputs; ++i) code.op("mov {}, r2", acc(i));
  if (line.unrolled() == line.taps) {
    for (int i = 0; i < line.taps; ++i) tap(code, line.outputs);
  } else {
    code.label(2);
    for (int i = 0; i < line.unrolled(); ++i) tap(code, line.outputs);
    code.op("ldr r2, [sp, #{}]", kLine);
    code.op("ldr r2, [r2, #{}]", kLineTaps);
    code.op("subs r2, r1, r2");
    code.op("lsrs r2, r2, #3");
    code.op("cmp r2, #{}", line.taps);
    code.op("beq 3f");
    code.op("b 2b");
    code.label(3);
  }
  store(code, line);
  code.op("ldr r0, [sp, #{}]", kLine);
  code.op("ldr r1, [r0, #{}]", kLineCount);
  code.op("cmp r1, #0");
  code.op("ble 4f");
  code.op("b 10b");
  code.label(4);
  code.op("add sp, sp, #8");
  code.op("pop {{r4-r7}}");
  for (int i = 0; i < 4; ++i) code.op("mov r{}, r{}", 8 + i, 4 + i);
  code.op("pop {{r4-r7, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s8_thumb(const LayerView& layer,
                                                              const LowerOptions&) {
  PlanesCore core;
  core.isa = "thumb";
  core.condition = "defined(__thumb__)";
  core.fit = {850, 1.25};
  core.outputs = {3, 4, 5, 6};
  core.line = body;
  core.forms = kThumbForms;
  core.cycles_of_form = rescale_cycles_thumb;
  core.per_group = 50;
  core.per_tap = 5;
  core.per_product = 3;
  core.per_output = 6;
  core.per_word = 11;
  core.bytes_per_instruction = 2;
  // `cmp` takes a byte.
  if (layer.field("k_h") * layer.field("k_w") > 255) return {};
  return depthwise_planes(layer, core);
}

}  // namespace nibble
