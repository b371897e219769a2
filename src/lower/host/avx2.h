// The inner loops of lower/host with AVX2. On other processors they are never called: they exist
// so that the callers need no conditions of their own.
#pragma once

#include <cstdint>

namespace nibble::avx2 {

// acc[row][lane] = bias[lane] + sum over pairs of rows[row][2 p] * weights[p][lane][0] +
// rows[row][2 p + 1] * weights[p][lane][1], for eight lanes.
void multiply(const int16_t* rows, int32_t row_elems, int32_t count, const int16_t* weights,
              int32_t pairs, const int32_t* bias, int32_t* acc);
// The same for four rows, which share each load of weights.
void multiply_four(const int16_t* rows, int32_t row_elems, const int16_t* weights, int32_t pairs,
                   const int32_t* bias, int32_t* acc);

// acc[lane] += src[lane] * weights[lane], for `count` lanes, a multiple of eight.
void multiply_lanes(const int16_t* src, const int16_t* weights, int32_t count, int32_t* acc);

// Eight lanes of nibble_output_s8 with the rounding of TensorFlow Lite.
void output_tflite(const int32_t* acc, const int32_t* multiplier, const int32_t* exponent,
                   int32_t zero, int32_t act_min, int32_t act_max, int8_t* dst);

}  // namespace nibble::avx2
