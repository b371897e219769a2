// What generators share that pack constants and name functions (variant.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Appends a word as the targets' memory holds it, lowest byte first.
void put_word(std::vector<uint8_t>& bytes, uint32_t word);

// bias - zero * sum of the channel's weights, modulo 2^32. `bias` may be empty.
std::vector<int32_t> bias_with_zero(std::span<const int32_t> bias, std::span<const int32_t> sums,
                                    int zero);

// Eight hexadecimal digits that differ where `text` does, so that names stay short.
std::string text_hash(std::string_view text);

// A number as part of a C name: "m5" for -5.
std::string number_in_name(int value);

}  // namespace nibble
