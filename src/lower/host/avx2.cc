#include "lower/host/avx2.h"

#include "base/check.h"
#include "lower/host/channel_products.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

namespace nibble {

bool host_has_avx2() {
  static const bool kHas = __builtin_cpu_supports("avx2");
  return kHas;
}

namespace avx2 {

#define NIBBLE_AVX2 __attribute__((target("avx2")))

namespace {

NIBBLE_AVX2 inline __m256i load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

NIBBLE_AVX2 inline void store(int32_t* to, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), value);
}

// The pair of 16-bit numbers at `from`, in every lane.
NIBBLE_AVX2 inline __m256i pair_at(const int16_t* from) {
  int32_t pair;
  __builtin_memcpy(&pair, from, sizeof pair);
  return _mm256_set1_epi32(pair);
}

}  // namespace

NIBBLE_AVX2 void multiply(const int16_t* rows, int32_t row_elems, int32_t count,
                          const int16_t* weights, int32_t pairs, const int32_t* bias,
                          int32_t* acc) {
  for (int32_t row = 0; row < count; ++row, rows += row_elems) {
    __m256i sum = load(bias);
    for (int32_t p = 0; p < pairs; ++p)
      sum = _mm256_add_epi32(
          sum, _mm256_madd_epi16(pair_at(rows + 2 * p), load(weights + 2 * kHostLanes * p)));
    store(acc + row * kHostLanes, sum);
  }
}

NIBBLE_AVX2 void multiply_four(const int16_t* rows, int32_t row_elems, const int16_t* weights,
                               int32_t pairs, const int32_t* bias, int32_t* acc) {
  const int16_t* row_1 = rows + row_elems;
  const int16_t* row_2 = row_1 + row_elems;
  const int16_t* row_3 = row_2 + row_elems;
  __m256i sum_0 = load(bias), sum_1 = sum_0, sum_2 = sum_0, sum_3 = sum_0;
  for (int32_t p = 0; p < pairs; ++p) {
    const __m256i weight = load(weights + 2 * kHostLanes * p);
    sum_0 = _mm256_add_epi32(sum_0, _mm256_madd_epi16(pair_at(rows + 2 * p), weight));
    sum_1 = _mm256_add_epi32(sum_1, _mm256_madd_epi16(pair_at(row_1 + 2 * p), weight));
    sum_2 = _mm256_add_epi32(sum_2, _mm256_madd_epi16(pair_at(row_2 + 2 * p), weight));
    sum_3 = _mm256_add_epi32(sum_3, _mm256_madd_epi16(pair_at(row_3 + 2 * p), weight));
  }
  store(acc, sum_0);
  store(acc + kHostLanes, sum_1);
  store(acc + 2 * kHostLanes, sum_2);
  store(acc + 3 * kHostLanes, sum_3);
}

NIBBLE_AVX2 void multiply_lanes(const int16_t* src, const int16_t* weights, int32_t count,
                                int32_t* acc) {
  for (int32_t i = 0; i < count; i += kHostLanes) {
    auto wide = [&](const int16_t* from) NIBBLE_AVX2 {
      return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
    };
    store(acc + i, _mm256_add_epi32(load(acc + i), _mm256_mullo_epi32(wide(src), wide(weights))));
  }
}

// The doubling high multiply is floor((acc * multiplier + 2^30) / 2^31): its two nudges differ by
// one where the division towards zero differs from the floor. Bits 31 to 62 of the sum are the
// result, so that logical shifts of 64-bit lanes do.
NIBBLE_AVX2 void output_tflite(const int32_t* acc, const int32_t* multiplier,
                               const int32_t* exponent, int32_t zero, int32_t act_min,
                               int32_t act_max, int8_t* dst) {
  const __m256i none = _mm256_setzero_si256();
  const __m256i shift = load(exponent);
  const __m256i left = _mm256_max_epi32(shift, none);
  const __m256i right = _mm256_sub_epi32(left, shift);
  const __m256i shifted = _mm256_sllv_epi32(load(acc), left);
  const __m256i factor = load(multiplier);
  const __m256i half = _mm256_set1_epi64x(int64_t{1} << 30);
  const __m256i even =
      _mm256_srli_epi64(_mm256_add_epi64(_mm256_mul_epi32(shifted, factor), half), 31);
  const __m256i odd = _mm256_slli_epi64(
      _mm256_srli_epi64(_mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(shifted, 32),
                                                          _mm256_srli_epi64(factor, 32)),
                                         half),
                        31),
      32);
  const __m256i high = _mm256_blend_epi32(even, odd, 0xAA);
  // Rounding shift right, ties away from zero.
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
  const __m256i threshold =
      _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_srai_epi32(high, 31));
  const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), threshold);
  __m256i value = _mm256_sub_epi32(_mm256_srav_epi32(high, right), up);
  value = _mm256_add_epi32(value, _mm256_set1_epi32(zero));
  value = _mm256_min_epi32(_mm256_max_epi32(value, _mm256_set1_epi32(act_min)),
                           _mm256_set1_epi32(act_max));
  const __m128i words =
      _mm_packs_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(dst), _mm_packs_epi16(words, words));
}

}  // namespace avx2
}  // namespace nibble

#else

namespace nibble {

bool host_has_avx2() { return false; }

namespace avx2 {

void multiply(const int16_t*, int32_t, int32_t, const int16_t*, int32_t, const int32_t*, int32_t*) {
  NIBBLE_UNREACHABLE("no AVX2");
}
void multiply_four(const int16_t*, int32_t, const int16_t*, int32_t, const int32_t*, int32_t*) {
  NIBBLE_UNREACHABLE("no AVX2");
}
void multiply_lanes(const int16_t*, const int16_t*, int32_t, int32_t*) {
  NIBBLE_UNREACHABLE("no AVX2");
}
void output_tflite(const int32_t*, const int32_t*, const int32_t*, int32_t, int32_t, int32_t,
                   int8_t*) {
  NIBBLE_UNREACHABLE("no AVX2");
}

}  // namespace avx2
}  // namespace nibble

#endif
