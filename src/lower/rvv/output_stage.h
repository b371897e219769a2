// From accumulators to s8 on cores with RISC-V vectors: which of the exact short forms a layer may
// use, and their instructions.
//
// With m the multiplier, s = -exponent and acc the accumulator:
//   D, tflite:  h = round(acc * m / 2^31) (VSMUL, rounding up); h -= 1 where acc < 0; out = (h +
//     2^(s-1)) >> s (VSSRA, rounding up). The doubling high multiply rounds ties away from zero
//     where the product is positive and towards zero where it is negative, both of which are up.
//     Where h is negative, h - 1 turns "ties up" into "ties away from zero", and nothing else for
//     s >= 1. acc < 0 with h = 0 gives (2^(s-1) - 1) >> s = 0 too.
//   R, tflite where negative results are clamped away: without the correction, for s >= 0.
//   S, single:  h = floor(acc * m / 2^31) (VSMUL, rounding down), out = (h + 2^(s-1)) >> s, s >= 1.
// Then out is narrowed to 16 bits, the zero point added, both saturating, and narrowed to 8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

class VectorOutput {
 public:
  // Nothing if a channel has an exponent that this form does not cover.
  static std::optional<VectorOutput> of(const LayerView& layer);
  // The same for the fields out_multiplier and out_exponent of a sum.
  static std::optional<VectorOutput> of_sum(const LayerView& layer);
  // The same for the fields multiplier and exponent of a product.
  static std::optional<VectorOutput> of_product(const LayerView& layer);
  // rescale() of values that may be negative, by exponents of -1 and less; nothing else is called.
  static VectorOutput rescaling(bool single);

  uint32_t multiplier(size_t channel) const;
  uint32_t shift(size_t channel) const;
  // One multiplier and exponent for all channels.
  bool uniform() const;
  // Letters for a function's name: all that the instructions depend on.
  std::string name() const;

  // What must stand before rescale() and after other uses of VXRM.
  void begin(Assembly& code) const { code.op("csrwi vxrm, 0"); }
  // The lists in `acc` (groups of eight registers that share multiplier and shift) are rescaled;
  // 32-bit elements are set. `temp` is free. `multiplier` is a vector, or a general register;
  // `load_shift` brings the shift to where the string that it returns says.
  template <class LoadShift>
  void rescale(Assembly& code, const std::vector<std::string>& acc, const std::string& temp,
               const std::string& multiplier, LoadShift load_shift) const {
    scale(code, acc, temp, multiplier);
    std::string shift = load_shift();
    for (const std::string& v : acc)
      code.op("vssra.{0} {1}, {1}, {2}", shift[0] == 'v' ? "vv" : "vx", v, shift);
  }
  // 16-bit elements are set; `v` holds results of rescale(), narrowed. Adds the zero point and
  // clamps where narrowing to 8 bits does not. `scratch` is a general register.
  void add_zero(Assembly& code, const std::string& v, const std::string& scratch) const;

  int zero() const { return zero_; }
  // The fields out_zero, act_min, act_max and rounding of a plain C body, as initializers.
  std::string c_fields() const;

 private:
  static std::optional<VectorOutput> of_factor(const LayerView& layer, std::string_view multiplier,
                                               std::string_view exponent);
  void read_range(const LayerView& layer);
  void scale(Assembly& code, const std::vector<std::string>& acc, const std::string& temp,
             const std::string& multiplier) const;

  std::span<const int32_t> multiplier_;
  std::span<const int8_t> exponent_;
  int zero_ = 0, low_ = 0, high_ = 0;
  int64_t rounding_ = 0;
  char form_ = 'd';
};

}  // namespace nibble
