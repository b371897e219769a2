// From accumulators to s8 on cores with SMMLA: which of the exact short forms a layer may use, and
// their instructions.
//
// With m the multiplier, s = -exponent >= 1 and acc the accumulator:
//   h = acc * 2m / 2^32, to nearest (SMMLAR) for the tflite rounding, down (SMMLA) for the single
//   one; tflite:  h += h >> 31 where h may be negative and that is not clamped away: ties away from
//   zero out = ((h >> (s - 1)) + 2 * zero + 1) >> 1, saturated. That is (h + 2^(s-1) + (zero << s))
//   >> s.
//
// Or, where it exists for all channels and the accumulators that can occur, the linear form of
// linear_output.h, which takes two instructions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lower/assembly.h"
#include "lower/dsp/linear_output.h"
#include "lower/variant.h"

namespace nibble {

class OutputStage {
 public:
  // Nothing if a channel has an exponent that this form does not cover, or the accumulator plus the
  // zero point could leave 32 bits.
  static std::optional<OutputStage> of(const LayerView& layer);
  // With exponents of the caller's, which outlive this; a multiplier of 0 then stands for
  // accumulators that are 0.
  static std::optional<OutputStage> of(const LayerView& layer, std::span<const int8_t> exponent);

  // The same outputs by a form that holds whatever the clamps are: layers with and without a fused
  // activation may share a function.
  OutputStage general() const;

  // The linear form with this shift, if there is one. `ranges`: what the accumulators can be.
  // `flags`: for each channel what the two lowest bits of its addend must be; empty: anything.
  std::optional<OutputStage> linear(std::span<const AccumulatorRange> ranges, int shift,
                                    std::span<const int> flags = {}) const;
  // The same without channels, for a function's text alone.
  OutputStage linear_text(int shift) const;
  bool is_linear() const { return linear_shift_ > 0; }
  int linear_shift() const { return linear_shift_; }

  // One multiplier and exponent for all channels.
  bool uniform() const { return uniform_; }
  // To be added to the channel's bias; not 0 for linear forms only.
  int32_t start(size_t channel) const;
  // What rescales a channel: `doubled` 2m and `shift` s - 1, or the scale and the addend.
  uint32_t doubled(size_t channel) const;
  uint32_t shift(size_t channel) const;
  // 2 * zero + 1.
  int addend() const { return 2 * zero_ + 1; }
  // Letters for a function's name: all that instructions() depends on. `zero_in_register`: with its
  // addend.
  std::string name(bool zero_in_register = false) const;
  // acc := the output, in the low byte of register `acc`. `doubled`, `shift` (its low byte counts;
  // linear: all of it) and `addend`, if it is given, are registers; linear forms do not use it.
  void instructions(Assembly& code, const std::string& acc, const std::string& doubled,
                    const std::string& shift, const std::string& addend = "") const;
  // Instructions per output.
  int count() const;
  // The fields out_zero, act_min, act_max and rounding (NIBBLE_PAIRS_LINEAR + shift
  // of a linear form) of a plain C body, as initializers.
  std::string c_fields() const;
  // The same without out_zero.
  std::string c_range() const;

 private:
  void clamp(Assembly& code, const std::string& acc) const;

  std::span<const int32_t> multiplier_;
  std::span<const int8_t> exponent_;
  int zero_ = 0, low_ = 0, high_ = 0;
  int64_t rounding_ = 0;
  bool uniform_ = false;
  bool away_from_zero_ = false;  // negative ties need their correction
  int linear_shift_ = 0;
  std::vector<LinearOutput> linear_;  // per channel; one if uniform
};

}  // namespace nibble
