// Rescaling on cores that multiply 32 by 32 bits to 32 only: two short multiplications per output.
//
// An accumulator is first clamped to the range [low, high] between which outputs change. There
//   out = (acc * upper + ((acc * lower) >> shift) + addend [+ extra where acc < 0]) >> 22
// with upper * 2^shift + lower the multiplier to 22 + shift fractional bits. Both this and the exact
// output are steps that never fall, so they are equal if they step at the same accumulators: at
// most 255, all of which are tried. The addend is taken from the interval that they leave; where
// none is left, neighbouring multipliers are tried.
#pragma once

#include "lower/scalar/words.h"

namespace nibble {

inline constexpr int kShortScaleShift = 22;

// A block's words as nibble_words_s8_two_c reads them (kernels/common/words_s8.h); empty if a
// channel has no such form.
std::vector<uint32_t> short_scale_words(const WordsOutput& output, std::span<const size_t> channels,
                                        std::span<const AccRange> ranges);

}  // namespace nibble
