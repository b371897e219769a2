/* One element of quantize_f32_s8, without the mathematics library. */
#ifndef NIBBLE_QUANTIZE_QUANTIZE_F32_S8_ELEM_H
#define NIBBLE_QUANTIZE_QUANTIZE_F32_S8_ELEM_H

#include "common/nibble_common.h"
#include "common/requant.h"

/* The nearest integer, ties away from zero. Beyond +-1000 all values end at the clamp, since |zero|
   is at most 128; not a number gives 0. */
static inline int32_t nibble_quantize_f32_s8_round(float ratio) {
  if (ratio >= 1000.0f) return 1000;
  if (ratio <= -1000.0f) return -1000;
  if (!(ratio == ratio)) return 0;
  int32_t whole = (int32_t)ratio;
  float rest = ratio - (float)whole; /* exact: both are small multiples of ratio's last place */
  if (rest >= 0.5f) return whole + 1;
  if (rest <= -0.5f) return whole - 1;
  return whole;
}

static inline int8_t nibble_quantize_f32_s8_elem(float elem, float scale, int32_t zero, int32_t low,
                                                 int32_t high) {
  return (int8_t)nibble_clamp(nibble_quantize_f32_s8_round(elem / scale) + zero, low, high);
}

/* A tensor; `scale_bits` is the scale as it lies in memory. */
static inline void nibble_quantize_f32_s8_plain(const float* src, int8_t* dst, int32_t len,
                                                int32_t scale_bits, int32_t zero, int32_t low,
                                                int32_t high) {
  float scale;
  memcpy(&scale, &scale_bits, sizeof scale);
  NIBBLE_SCALAR_LOOP
  for (int32_t i = 0; i < len; ++i)
    dst[i] = nibble_quantize_f32_s8_elem(src[i], scale, zero, low, high);
}

#endif
