/* From accumulators to s8 on cores without SIMD: what the packed words of a channel mean. The
   packer takes a form only where it steps at the same accumulators as the exact rescaling
   (requant.h), so all forms give the same outputs.

     fused   multiplier, low, high word:   (acc * multiplier + high : low) >> 32
     high    multiplier, addend, shift:    ((4 * acc * multiplier >> 32) - (away, acc < 0 ? 2 : 0)
                                            + addend) >> shift;  |acc| < 2^28
     single  least, most, multiplier, addend:  (acc * multiplier + addend) >> 24, acc clamped first
     double  least, most, upper, lower, addend, shift, extra:
               (acc * upper + (acc * lower >> shift) + addend + (away, acc < 0 ? extra : 0)) >> 22,
               acc clamped first

   The result is clamped to [act_min, act_max] by the first two forms; the others cannot leave it.
 */
#ifndef NIBBLE_COMMON_RESCALE_S8_H
#define NIBBLE_COMMON_RESCALE_S8_H

#include "common/nibble_common.h"

enum { NIBBLE_RESCALE_FUSED, NIBBLE_RESCALE_HIGH, NIBBLE_RESCALE_SINGLE, NIBBLE_RESCALE_DOUBLE };

typedef struct {
  int32_t form;
  int32_t away; /* negative ties are rounded away from zero */
  int32_t act_min;
  int32_t act_max;
  int32_t words; /* of a channel */
} nibble_rescale_s8;

static inline int32_t nibble_rescale_clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : (value > high ? high : value);
}

static inline int8_t nibble_rescaled_s8(const nibble_rescale_s8* rescale, const uint32_t* words,
                                        int32_t acc) {
  int32_t value, multiplier = (int32_t)words[0];
  if (rescale->form == NIBBLE_RESCALE_FUSED) {
    int64_t addend = (int64_t)(((uint64_t)words[2] << 32) | words[1]);
    value = (int32_t)(((int64_t)acc * multiplier + addend) >> 32);
  } else if (rescale->form == NIBBLE_RESCALE_HIGH) {
    value = (int32_t)(((int64_t)acc * 4 * multiplier) >> 32);
    if (rescale->away && acc < 0) value -= 2;
    value = (value + (int32_t)words[1]) >> words[2];
  } else {
    acc = nibble_rescale_clamp(acc, multiplier, (int32_t)words[1]);
    if (rescale->form == NIBBLE_RESCALE_SINGLE)
      return (int8_t)((acc * (int32_t)words[2] + (int32_t)words[3]) >> 24);
    value = acc * (int32_t)words[2] + ((acc * (int32_t)words[3]) >> words[5]) + (int32_t)words[4];
    if (rescale->away && acc < 0) value += (int32_t)words[6];
    return (int8_t)(value >> 22);
  }
  return (int8_t)nibble_rescale_clamp(value, rescale->act_min, rescale->act_max);
}

#endif
