// quantize_f32_s8 by integers alone, in plain C for cores without a float unit
// (kernels/quantize/quantize_f32_s8_bits.h).
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "lower/packing.h"
#include "lower/progress.h"
#include "lower/scalar/float_steps.h"

namespace nibble {
namespace {

constexpr int kInverseBits = 16;
// Of the exponents of a float, of the mantissa's 16 bits, of the estimate in 256ths.
constexpr int kExponentBias = 127, kMantissaPoint = 15, kEstimateBits = 8;
constexpr int64_t kBlock = 16;  // elements to a moment
constexpr double kCyclesPerElem = 27, kCyclesPerElemOnThumb = 45;

struct BitSteps {
  std::vector<uint32_t> steps;
  int64_t most = 0, inverse = 0, shift = 0;
};

BitSteps bit_steps(float scale, int64_t most) {
  BitSteps result;
  result.most = most;
  for (int64_t step = 1; step <= most; ++step)
    result.steps.push_back(
        std::bit_cast<uint32_t>(first_with_quotient(static_cast<float>(step) - 0.5f, scale)));
  result.steps.push_back(0xffffffff);
  int exponent = 0;
  // 1 / scale = mantissa * 2^exponent, mantissa in [1/2, 1].
  double mantissa = std::frexp(1.0 / static_cast<double>(scale), &exponent);
  result.inverse = static_cast<int64_t>(std::floor(std::ldexp(mantissa, kInverseBits)));
  result.shift = kExponentBias + kMantissaPoint - kEstimateBits + kInverseBits - exponent;
  return result;
}

}  // namespace

std::vector<KernelVariant> generate_quantize_f32_s8_bits(const LayerView& layer,
                                                         const LowerOptions& options) {
  auto scale = std::bit_cast<float>(static_cast<uint32_t>(layer.field("scale")));
  const int64_t zero = layer.field("out_zero");
  const int64_t low = layer.field("act_min"), high = layer.field("act_max");
  // Two at least, that there is a span between the first and the last.
  const int64_t most = std::max<int64_t>({high - zero, zero - low, 2});
  // With floats the compiler takes a division, or the core has a kernel of its own.
  if (has_float_unit(options) || !moderate_scale(scale)) return {};
  BitSteps steps = bit_steps(scale, most);
  KernelVariant variant;
  KernelFunction& function = variant.function;
  function.name = "nibble_quantize_f32_s8_bits_call";
  function.isa = "portable";
  function.files = {"common/nibble_common.h", "common/requant.h",
                    "quantize/quantize_f32_s8_bits.h"};
  function.parameters = {"const float *", "int8_t *"};
  function.text = fmt::format(
      "static void {}(\n    const float *src, int8_t *dst, const uint32_t *steps, int32_t most,\n"
      "    int32_t inverse, int32_t shift, int32_t zero, int32_t low, int32_t high, int32_t len) "
      "{{\n"
      "  nibble_quantize_f32_s8_bits(src, dst, steps, most, inverse, shift, zero, low, high, "
      "len);\n}}\n",
      function.name);
  PackedConstant packed{"steps", "uint32_t", {}};
  for (uint32_t step : steps.steps) put_word(packed.bytes, step);
  variant.packed = {std::move(packed)};
  const int64_t len = layer.field("len");
  variant.numbers = {steps.most, steps.inverse, steps.shift, zero, low, high, len};
  variant.progress = unit_progress(len / kBlock, 4 * kBlock, kBlock);
  const bool thumb = has(options, Isa::kThumb);
  variant.cycles = 40 + (thumb ? kCyclesPerElemOnThumb : kCyclesPerElem) * static_cast<double>(len);
  variant.function.code_bytes = 180;
  return {std::move(variant)};
}

}  // namespace nibble
