// Lines of a depthwise convolution (kernels/depthwise_conv2d/depthwise_conv2d_s8_planes.h) on
// ARMv7-M without the DSP extension: for each tap two loads, an addition, and an MLA per output.
#include "lower/scalar/planes.h"
#include "lower/thumb2/rescale.h"

namespace nibble {
namespace {

constexpr int kFirstAcc = 4;
const char* const kElements[] = {"r9", "r10", "r11", "r12", "lr"};

std::string acc(int output) { return fmt::format("r{}", kFirstAcc + output); }

// r0 words of the plane, r1 list of taps, r2 weight, r3 distance, then accumulators and elements.
void tap(Assembly& code, int outputs) {
  std::string list;
  for (int i = 0; i < outputs; ++i) list += fmt::format("{}{}", i ? ", " : "", kElements[i]);
  code.op("ldmia r1!, {{r2, r3}}");
  code.op("add r0, r0, r3");
  code.op("ldmia r0!, {{{}}}", list);
  for (int i = 0; i < outputs; ++i) code.op("mla {0}, {1}, r2, {0}", acc(i), kElements[i]);
}

// Stores the outputs from the last to the first; fewer at the end of the line.
void store(Assembly& code, const PlanesLine& line) {
  constexpr int kFull = 20;
  code.op("ldr lr, [sp]");
  code.op("ldmia lr, {{r0, r2, r3, r9}}");
  code.op("ldr r1, [lr, #{}]", kLineRescale);
  code.op("add r0, r0, #{}", 4 * line.outputs);
  code.op("sub r10, r9, #{}", line.outputs);
  code.op("str r0, [lr, #{}]", kLineX);
  code.op("str r10, [lr, #{}]", kLineCount);
  code.op("mov r12, r3");
  code.op("mov r0, r2");
  code.op("mov r11, #{}", line.outputs);
  code.op("mla r2, r3, r11, r2");
  code.op("str r2, [lr, #{}]", kLineDst);
  code.op("add r1, r1, #4");
  code.op("cmp r9, r11");
  code.op("itt ge");
  code.op("movge r0, r2");
  code.op("bge.w {}f", kFull + line.outputs);
  code.op("mla r0, r9, r12, r0");
  for (int i = 1; i < line.outputs; ++i) {
    code.op("cmp r9, #{}", i);
    code.op("beq.w {}f", kFull + i);
  }
  for (int i = line.outputs; i > 0; --i) {
    code.label(kFull + i);
    std::string out = rescale_thumb2(code, line.stage, acc(i - 1), "r1", {"r2", "r3", "r9", "r11"});
    code.op("sub r0, r0, r12");
    code.op("strb {}, [r0]", out);
  }
}

Assembly body(const PlanesLine& line) {
  Assembly code;
  code.op("push {{r0, r4-r12, lr}}");
  code.label(1);
  code.op("ldr r1, [r0, #{}]", kLineRescale);
  code.op("ldr r{}, [r1]", kFirstAcc);
  code.op("ldr r1, [r0, #{}]", kLineTaps);
  code.op("ldr r0, [r0, #{}]", kLineX);
  for (int i = 1; i < line.outputs; ++i) code.op("mov {}, {}", acc(i), acc(0));
  if (line.unrolled() == line.taps) {
    for (int i = 0; i < line.taps; ++i) tap(code, line.outputs);
  } else {
    code.label(2);
    for (int i = 0; i < line.unrolled(); ++i) tap(code, line.outputs);
    code.op("ldr r2, [sp]");
    code.op("ldr r2, [r2, #{}]", kLineTaps);
    code.op("sub r2, r1, r2");
    code.op("cmp r2, #{}", 8 * line.taps);
    code.op("bne.w 2b");
  }
  store(code, line);
  code.op("ldr r0, [sp]");
  code.op("cmp r10, #0");
  code.op("bgt.w 1b");
  code.op("pop {{r0, r4-r12, pc}}");
  return code;
}

}  // namespace

std::vector<KernelVariant> generate_depthwise_conv2d_s8_thumb2(const LayerView& layer,
                                                               const LowerOptions&) {
  // The length of the list of taps is an immediate operand.
  if (layer.field("k_h") * layer.field("k_w") > 255) return {};
  PlanesCore core;
  core.isa = "thumb2";
  core.condition = "defined(__thumb2__)";
  core.fit = {600, 1};
  core.outputs = {3, 4, 5};
  core.line = body;
  core.forms = kThumb2Forms;
  core.cycles_of_form = rescale_cycles_thumb2;
  core.per_group = 40;
  core.per_tap = 5;
  core.per_product = 3;
  core.per_output = 4;
  core.per_word = 10;
  return depthwise_planes(layer, core);
}

}  // namespace nibble
