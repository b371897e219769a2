// The stream of the block kernel of cores with Helium (lower/mve/block_kernel.h).
#include <algorithm>

#include "lower/mve/block_kernel.h"
#include "lower/packing.h"

namespace nibble {
namespace {

// The groups' first channels.
std::vector<int> group_starts(const BlockShape& shape) {
  std::vector<int> starts;
  for (int first = 0; first < shape.out_c; first += shape.channels)
    starts.push_back(std::max(0, std::min(first, shape.out_c - shape.channels)));
  return starts;
}

void put_tables(std::vector<uint8_t>& stream, const BlockShape& shape, const HeliumOutput& output,
                const std::vector<int32_t>& bias, const std::vector<size_t>& channels) {
  auto start = [&](size_t channel) { return static_cast<uint32_t>(bias[channel]); };
  if (shape.channels == 2) {
    for (size_t channel : channels) {
      put_word(stream, start(channel));
      put_word(stream, output.multiplier(channel));
      put_word(stream, output.exponent(channel));
    }
    return;
  }
  if (shape.channels == 4) {
    for (size_t channel : channels) put_word(stream, start(channel));
    for (size_t channel : channels) put_word(stream, output.multiplier(channel));
    for (size_t channel : channels) put_word(stream, output.exponent(channel));
    return;
  }
  for (size_t odd = 0; odd < 2 && !shape.uniform; ++odd) {
    for (size_t i = odd; i < 8; i += 2) put_word(stream, output.multiplier(channels[i]));
    for (size_t i = odd; i < 8; i += 2) put_word(stream, output.exponent(channels[i]));
  }
}

}  // namespace

std::vector<uint8_t> pack_blocks(const BlockShape& shape, const HeliumOutput& output,
                                 const std::vector<int32_t>& bias, const WeightAt& weight) {
  std::vector<uint8_t> stream;
  std::vector<int> starts = group_starts(shape);
  for (size_t group = 0; group < starts.size(); ++group) {
    std::vector<size_t> channels;
    for (int i = 0; i < shape.channels; ++i)
      channels.push_back(static_cast<size_t>(std::min(starts[group] + i, shape.out_c - 1)));
    if (shape.channels == 8)
      for (size_t channel : channels) put_word(stream, static_cast<uint32_t>(bias[channel]));
    for (int row = 0; row < shape.rows; ++row)
      for (int first = 0; first < shape.taps; first += 3)
        for (int vector = 0; vector < shape.vectors; ++vector)
          for (int tap = first; tap < std::min(first + 3, shape.taps); ++tap)
            for (size_t channel : channels)
              for (int lane = 0; lane < 16; ++lane)
                stream.push_back(static_cast<uint8_t>(
                    weight(static_cast<int>(channel), row, tap, 16 * vector + lane)));
    put_tables(stream, shape, output, bias, channels);
    if (shape.stepped())
      put_word(stream, group + 1 < starts.size()
                           ? static_cast<uint32_t>(starts[group + 1] - starts[group])
                           : 0);
  }
  return stream;
}

}  // namespace nibble
