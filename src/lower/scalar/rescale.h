// From accumulators to s8 on cores without SIMD: the cheapest exact form of each channel
// (kernels/common/rescale_s8.h), found and proved here.
//
// The exact output and every form are steps that never fall, so they are equal if they step at the
// same accumulators: at most 255, all of which are looked at. Each bounds the addend from both
// sides. Where no addend is left, neighbouring multipliers are tried, then the next form.
#pragma once

#include <optional>

#include "lower/assembly.h"
#include "lower/output_steps.h"

namespace nibble {

// The exact output of a layer.
struct LayerOutput {
  std::span<const int32_t> multiplier;
  std::span<const int8_t> exponent;
  int zero = 0, low = 0, high = 0;
  int64_t rounding = 0;

  static LayerOutput of(const LayerView& layer);
  // Negative ties are rounded away from zero, and not clamped away.
  bool away() const;
  ChannelRescale channel(size_t i) const;
};

enum class RescaleForm { kFused, kHigh, kSingle, kDouble };

// What a function's text may depend on.
struct RescaleStage {
  RescaleForm form = RescaleForm::kHigh;
  bool away = false;           // forms high and double
  int low = -128, high = 127;  // forms fused and high
  int split = 0;               // form double

  int words() const;  // of a channel
  // "d_m5_100".
  std::string name() const;
  // A nibble_rescale_s8, as a C initializer.
  std::string c_initializer() const;
};

struct RescaledChannel {
  std::vector<uint32_t> words;
  int64_t start_shift = 0;  // to be added to the accumulator's start value
};

struct RescaledLayer {
  RescaleStage stage;
  std::vector<RescaledChannel> channels;
};

// The first of `forms` that all channels have, and the last of `forms` as it serves any rounding
// and sign, if it is another one: layers of all kinds may share the function. `ranges`: of each
// channel's accumulator.
std::vector<RescaledLayer> rescale_layer_ways(const LayerOutput& output,
                                              std::span<const AccumulatorRange> ranges,
                                              std::span<const RescaleForm> forms);

}  // namespace nibble
