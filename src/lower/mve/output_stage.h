// From accumulators to s8 on cores with Helium: which of the exact short forms a layer may use, and
// their instructions.
//
// With m the multiplier, s = -exponent and acc the accumulator, four lanes at once:
//   D, tflite:  h = round(acc * m / 2^31) (VQRDMULH); h -= 1 where acc < 0; out = (h + 2^(s-1)) >>
//   s
//     (VRSHL). Where h is negative, h - 1 turns "ties up" into "ties away from zero", and nothing
//     else for s >= 1. acc < 0 with h = 0 gives (2^(s-1) - 1) >> s = 0 too.
//   R, tflite where negative results are clamped away: without the correction, for s >= 0.
//   S, single:  h = floor(acc * m / 2^31) (VQDMULH), out = (h + 2^(s-1)) >> s, for s >= 1.
// Then out is narrowed to 16 bits, the zero point added, both saturating, and narrowed to 8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

class HeliumOutput {
 public:
  // Nothing if a channel has an exponent that this form does not cover.
  static std::optional<HeliumOutput> of(const LayerView& layer);

  // The same for the fields out_multiplier and out_exponent of a sum.
  static std::optional<HeliumOutput> of_sum(const LayerView& layer);
  // The same for the fields multiplier and exponent of a product.
  static std::optional<HeliumOutput> of_product(const LayerView& layer);
  // rescale() of values that may be negative, by exponents of -1 and less; nothing else is called.
  static HeliumOutput rescaling(bool single);

  // Values as the stream holds them, per channel.
  uint32_t multiplier(size_t channel) const;
  uint32_t exponent(size_t channel) const;
  // One multiplier and exponent for all channels.
  bool uniform() const;
  // Letters for a function's name: all that the instructions depend on.
  std::string name() const;
  // The same without the zero point, where that is not a constant.
  std::string form_name() const;
  // Rescales the accumulators in `acc`; the result is in the register that is returned, `acc` or
  // `temp`. Multiplier and exponent are general registers, or vectors.
  std::string rescale(Assembly& code, const std::string& acc, const std::string& temp,
                      const std::string& multiplier, const std::string& exponent) const;
  // The results of two rescalings → outputs in the low bytes of eight 16-bit lanes of `low`: those
  // of `low` in the even lanes, those of `high` in the odd ones. `zero` is a general register that
  // holds the output's zero point.
  void narrow(Assembly& code, const std::string& low, const std::string& high,
              const std::string& temp, const std::string& zero) const;
  int zero() const { return zero_; }
  // The fields out_zero, act_min, act_max and rounding of a plain C body, as initializers.
  std::string c_fields() const;

 private:
  static std::optional<HeliumOutput> of_factor(const LayerView& layer, std::string_view multiplier,
                                               std::string_view exponent);
  void read_range(const LayerView& layer);

  std::span<const int32_t> multiplier_;
  std::span<const int8_t> exponent_;
  int zero_ = 0, low_ = 0, high_ = 0;
  int64_t rounding_ = 0;
  char form_ = 'd';
};

}  // namespace nibble
