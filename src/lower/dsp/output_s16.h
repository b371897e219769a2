// From accumulators of 32 bits to s16 on cores with SMMLA, shared by the functions of the 16x8
// scheme. With m the multiplier, e the exponent:
//   reduced   (m of 15 bits): (acc * (m << (17 + e)) + 2^31) >> 32 is one SMMULR, for e from -17 to
//             -1
//   others    as lower/dsp/output_stage.h without a zero point: h = acc * 2m / 2^32, to nearest
//             (SMMLAR, tflite) or down (SMMLA, single); tflite: h += h >> 31; ((h >> (-e - 1)) + 1)
//             >> 1
// then one saturation to [0, 32767] or 16 bits, and what else the clamp asks for.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "lower/assembly.h"
#include "lower/variant.h"

namespace nibble {

class OutputStage16 {
 public:
  // `layer`: one of conv2d_s16s8, depthwise_conv2d_s16s8 and dense_s16s8. Nothing if a channel has
  // an exponent that these forms do not cover, or if a channel's accumulator could leave 32 bits.
  // `channel_of`: the output channel of a weight's index in the filter.
  static std::optional<OutputStage16> of(const LayerView& layer, int out_c,
                                         const std::function<int(size_t)>& channel_of);

  bool reduced() const;
  uint32_t doubled(size_t channel) const;
  uint32_t shift(size_t channel) const;  // 0 for reduced ones
  int32_t bias(size_t channel) const;
  // Letters for a function's name: all that instructions() depends on.
  std::string name() const;
  // acc := the output. `shift`: a register, its low byte counts; not read by reduced ones. `temp`
  // is another free register.
  void instructions(Assembly& code, const std::string& acc, const std::string& doubled,
                    const std::string& shift, const std::string& temp = "r2") const;
  // The fields act_min, act_max and rounding of a plain C body, as initializers.
  std::string c_fields() const;

 private:
  std::span<const int32_t> multiplier_;
  std::span<const int8_t> exponent_;
  std::span<const int64_t> bias_;
  int low_ = 0, high_ = 0;
  int64_t rounding_ = 0;
};

// Out of range of any accumulator: |bias| + 2^15 * sum of |weights| of each channel below 2^31.
bool accumulators_fit_s16(std::span<const int8_t> filter, std::span<const int64_t> bias, int out_c,
                          const std::function<int(size_t)>& channel_of);

}  // namespace nibble
