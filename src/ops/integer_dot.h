// Inner products of centred activations and weights on the host, wide enough for the compiler to
// vectorise. Inside ops/ only; accuracy evaluation spends most of its time here.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// Lengths are padded with zeros to a multiple of this, so that no loop has a tail.
inline constexpr int64_t kDotStep = 16;
inline int64_t dot_padded(int64_t len) { return (len + kDotStep - 1) / kDotStep * kDotStep; }

// acc[r] += sum of src[i] * rows[r * len + i], i < len, len a multiple of kDotStep. The caller
// knows that no sum leaves 32 bits.
void dot_rows(const int16_t* src, const int16_t* rows, int64_t len, int64_t row_count,
              int32_t* acc);

// acc[i] += a[i] * b[i], i < len.
void multiply_add(const int16_t* a, const int16_t* b, int64_t len, int32_t* acc);

// The elements of a filter as they are multiplied: (q - zero_point) times the factor of its group.
// verify_weight_layer has proved that they fit.
std::vector<int16_t> centred_weights(const Tensor& filter);

// [row_count][len], each row padded to dot_padded(len).
std::vector<int16_t> pad_rows(const int16_t* rows, int64_t row_count, int64_t len);

// How many products of any s16 activation and one of these weights, summed, stay within 32 bits.
int64_t wide_run(std::span<const int16_t> weights);

// Rows of weights for sums in 64 bits: in runs so short that a run's sum stays within 32 bits for
// any s16 activations.
class WideRows {
 public:
  WideRows(const int16_t* rows, int64_t row_count, int64_t len);
  // acc[r] += sum of src[i] * row r[i]; src has dot_padded(len) elements, the last of them zeros.
  void add_products(const int16_t* src, int64_t* acc) const;

 private:
  int64_t row_count_;
  bool in_64_bits_ = false;        // one run, its products summed in 64 bits
  std::vector<int64_t> run_lens_;  // padded
  std::vector<int16_t> elems_;     // [run][row][element]
};

// An image [N,H,W,C] as q - zero_point in s16 with the window's padding around it: [N, H + pads, W
// + pads, C].
struct CentredImage {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<int16_t> elems;
  const int16_t* at(int64_t n, int64_t y, int64_t x) const {
    return elems.data() + ((n * height + y) * width + x) * channels;
  }
};
CentredImage centre_image(const Tensor& src, int32_t zero_point, const Window& window);

}  // namespace nibble
