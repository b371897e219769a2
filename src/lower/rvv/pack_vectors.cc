// The stream of the block kernel of cores with RISC-V vectors (lower/rvv/block_kernel.h).
#include <algorithm>

#include "lower/packing.h"
#include "lower/rvv/block_kernel.h"

namespace nibble {
namespace {

constexpr int kRegisterBytes = 16;

}  // namespace

std::vector<uint8_t> pack_vectors(const VectorShape& shape, const VectorOutput& output,
                                  const std::vector<int32_t>& bias, const WindowWeight& weight) {
  std::vector<uint8_t> stream;
  size_t needed = 0;
  auto reads = [&](int registers) {
    needed = std::max(needed, stream.size() + static_cast<size_t>(kRegisterBytes * registers));
  };
  for (int first = 0; first < shape.out_c; first += shape.lanes()) {
    int end = std::min(shape.out_c, first + shape.lanes());
    auto put_table = [&](auto value) {
      reads(std::max(4, 4 * shape.registers));
      for (int channel = first; channel < end; ++channel)
        put_word(stream, static_cast<uint32_t>(value(static_cast<size_t>(
                             shape.depth > 0 ? channel % shape.depth : channel))));
    };
    put_table([&](size_t channel) { return bias[channel]; });
    if (!shape.uniform) {
      put_table([&](size_t channel) { return output.multiplier(channel); });
      put_table([&](size_t channel) { return output.shift(channel); });
    }
    for (int byte = 0; byte < shape.taps(); ++byte) {
      if (shape.padded) reads(8);
      for (int channel = first; channel < end; ++channel)
        stream.push_back(static_cast<uint8_t>(weight(channel, byte)));
      if (shape.padded)
        stream.resize(stream.size() + static_cast<size_t>(first + shape.lanes() - end));
    }
    while (stream.size() % 4 != 0) stream.push_back(0);
  }
  stream.resize(std::max(stream.size(), (needed + 3) / 4 * 4));
  return stream;
}

}  // namespace nibble
