#include "lower/scalar/float_steps.h"

#include <bit>
#include <cfloat>
#include <cmath>

#include "lower/packing.h"
#include "lower/progress.h"

namespace nibble {
namespace {

constexpr int kMostSteps = 256;  // outputs are at most 255 from the zero point

// For x > 0. Subnormal numbers do not occur, so cores may flush them to zero.
float ratio(const ScaleInverse& inverse, float x) {
  float small = x * inverse.low;
  return std::fma(x, inverse.high, small);
}

}  // namespace

bool moderate_scale(float scale) {
  constexpr float kMost = 0x1p40f;
  return scale >= 1 / kMost && scale <= kMost;
}

float first_with_quotient(float half, float scale) {
  float x = half * scale;
  while (x / scale >= half) x = std::nextafter(x, 0.0f);
  while (x / scale < half) x = std::nextafter(x, FLT_MAX);
  return x;
}

std::optional<ScaleInverse> inverse_of(float scale) {
  if (!moderate_scale(scale)) return std::nullopt;
  double exact = 1.0 / static_cast<double>(scale);
  ScaleInverse inverse;
  inverse.high = static_cast<float>(exact);
  if (static_cast<double>(inverse.high) >= exact) inverse.high = std::nextafter(inverse.high, 0.0f);
  inverse.low = static_cast<float>(exact - static_cast<double>(inverse.high));
  for (int step = 1; step <= kMostSteps; ++step) {
    float half = static_cast<float>(step) - 0.5f;
    float x = first_with_quotient(half, scale), below = std::nextafter(x, 0.0f);
    if (below * inverse.low < FLT_MIN) return std::nullopt;
    if (ratio(inverse, x) < half || ratio(inverse, below) >= half) return std::nullopt;
  }
  return inverse;
}

std::vector<KernelVariant> quantize_by_inverse(const LayerView& layer, const InverseCore& core) {
  auto scale = std::bit_cast<float>(static_cast<uint32_t>(layer.field("scale")));
  std::optional<ScaleInverse> inverse = inverse_of(scale);
  if (!inverse) return {};
  int low = layer.int_field("act_min"), high = layer.int_field("act_max");
  int64_t len = layer.field("len");
  CFunction function;
  function.name = fmt::format("nibble_quantize_f32_s8_{}_{}_{}", core.isa, number_in_name(low),
                              number_in_name(high));
  function.comment = "Floats to s8; inverse_high + inverse_low is 1 / scale.";
  function.parameters = {"const float *src",    "int8_t *dst",  "int32_t inverse_high",
                         "int32_t inverse_low", "int32_t zero", "int32_t scale",
                         "int32_t len"};
  function.condition = core.condition;
  function.arm = !core.isa.starts_with("rv");
  function.body = core.body(low, high);
  function.plain_body = fmt::format(
      "  (void)inverse_high;\n  (void)inverse_low;\n"
      "  nibble_quantize_f32_s8_plain(src, dst, len, scale, zero, {}, {});\n",
      low, high);
  KernelVariant variant;
  variant.function = {
      function.name,
      core.isa,
      {"common/nibble_common.h", "common/requant.h", "quantize/quantize_f32_s8_elem.h"},
      {"const float *", "int8_t *"},
      false,
      function_text(function)};
  variant.numbers = {std::bit_cast<int32_t>(inverse->high), std::bit_cast<int32_t>(inverse->low),
                     layer.field("out_zero"), layer.field("scale"), len};
  variant.progress = unit_progress(len / core.vector, int64_t{4} * core.vector, core.vector);
  variant.cycles = 40 + core.cycles_per_elem * static_cast<double>(len);
  variant.function.code_bytes = static_cast<int64_t>(function.body.count()) * 4;
  return {std::move(variant)};
}

}  // namespace nibble
