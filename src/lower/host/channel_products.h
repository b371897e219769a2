// Inner products of rows of activations with the filters of all output channels, on the host:
//   dst[row][o] = clamp(requant(bias[o] + sum_k rows[row][k] * filter[o][k]) + out_zero)
// Eight output channels lie side by side, two k at a time, so that an instruction multiplies pairs
// (AVX2's multiply-add of 16-bit pairs, where the processor has it). Inside lower/host only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

// From accumulators to int8, as kernels/common/output_s8.h does it.
struct HostOutput {
  int32_t zero = 0, act_min = 0, act_max = 0, rounding = 0;
  // Per channel, padded with zeros to a multiple of kHostLanes.
  std::vector<int32_t> bias, multiplier, exponent;

  HostOutput(int32_t channels, const int32_t* biases, const int32_t* multipliers,
             const int8_t* exponents);
  // kHostLanes channels from `channel` on, of which `count` are written.
  void write(const int32_t* acc, int32_t channel, int32_t count, int8_t* dst) const;
};

constexpr int32_t kHostLanes = 8;

class ChannelProducts {
 public:
  // filter [channels][depth].
  ChannelProducts(const int8_t* filter, int32_t channels, int32_t depth, HostOutput output);
  // Elements from one row to the next: depth, rounded up to even. The odd one counts for nothing.
  int32_t row_elems() const { return pairs_ * 2; }
  // rows [count][row_elems()], dst [count][channels].
  void run(const int16_t* rows, int32_t count, int8_t* dst) const;

 private:
  int32_t channels_, pairs_;
  HostOutput output_;
  std::vector<int16_t> weights_;  // [channels / kHostLanes, up][pair][lane][2]
};

// dst[i] = src[i] - zero.
void centre_s8(std::span<const int8_t> src, int32_t zero, int16_t* dst);

// Whether this processor has AVX2 and the build knows it.
bool host_has_avx2();

}  // namespace nibble
