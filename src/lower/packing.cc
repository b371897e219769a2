#include "lower/packing.h"

#include <fmt/format.h>

namespace nibble {

void put_word(std::vector<uint8_t>& bytes, uint32_t word) {
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<uint8_t>(word >> (8 * i)));
}

std::vector<int32_t> bias_with_zero(std::span<const int32_t> bias, std::span<const int32_t> sums,
                                    int zero) {
  std::vector<int32_t> folded;
  for (size_t i = 0; i < sums.size(); ++i) {
    int64_t start = (bias.empty() ? 0 : bias[i]) - int64_t{zero} * sums[i];
    folded.push_back(static_cast<int32_t>(static_cast<uint32_t>(start)));
  }
  return folded;
}

std::string text_hash(std::string_view text) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return fmt::format("{:08x}", hash);
}

std::string number_in_name(int value) {
  return value < 0 ? "m" + std::to_string(-value) : std::to_string(value);
}

}  // namespace nibble
