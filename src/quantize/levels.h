// Which integers weights are, where that is not all of a range: the codebooks of non-uniform
// quantization. All of them are integers, so that the layer stays one of integers: a target
// multiplies by what it looks up, or shifts. Inside quantize/ only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quantize/settings.h"

namespace nibble {

// Ascending, with zero, symmetric; the largest is what the scale's range ends at.
// kPowerOfTwo (Miyashita et al. 2016; Zhou et al. 2017): 0 and +-2^k, 2^(bits-1) - 1 magnitudes.
std::vector<int32_t> power_of_two_levels(int bits);
// kAdditive (Li et al. 2020, APoT, section 2.2): a + b with a and b from {0, powers of two}, the
// powers given to a and b in turn as far as their bits reach: bits-1 bits in all, a the larger
// half.
std::vector<int32_t> additive_levels(int bits);
// kCodebook: the at most 2^bits integers of [q_min, q_max] to which the values, in steps of their
// scale, are nearest in the sense of least squares: optimal one-dimensional clustering by dynamic
// programming over the histogram of the integers (Wang and Song 2011), where Han et al. 2016
// iterate.
std::vector<int32_t> codebook_levels(std::span<const double> values, int bits, int32_t q_min,
                                     int32_t q_max);

}  // namespace nibble
