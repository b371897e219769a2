/* From accumulators to s8 on cores without SIMD: what the packed words of a channel mean. The
   packer takes a form only where it steps at the same accumulators as the exact rescaling
   (requant.h), so all forms give the same outputs.

     fused   multiplier, addend:           (acc * multiplier + addend) >> 32, addend unsigned
     high    multiplier, addend, shift:    ((4 * acc * multiplier >> 32) - (away, acc < 0 ? 2 : 0)
                                            + addend) >> shift;  |acc| < 2^28
     single  reach, multiplier, addend:    (acc * multiplier + addend) >> 24
     double  reach, multiplier, addend:    (acc * upper + (acc * lower >> split) + addend) >> 22,
                                            the multiplier being upper * 2^split + lower
     double, away:  least, most, multiplier, addend, extra: the same plus (acc < 0 ? extra : 0)

   single and double clamp acc first, to [-reach, reach] or [least, most]; the result of the others
   is clamped to [act_min, act_max]. */
#ifndef NIBBLE_COMMON_RESCALE_S8_H
#define NIBBLE_COMMON_RESCALE_S8_H

#include "common/nibble_common.h"

enum { NIBBLE_RESCALE_FUSED, NIBBLE_RESCALE_HIGH, NIBBLE_RESCALE_SINGLE, NIBBLE_RESCALE_DOUBLE };

typedef struct {
  int32_t form;
  int32_t away; /* negative ties are rounded away from zero */
  int32_t act_min;
  int32_t act_max;
  int32_t split;
  int32_t words; /* of a channel */
} nibble_rescale_s8;

static inline int32_t nibble_rescale_clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : (value > high ? high : value);
}

static inline int8_t nibble_rescaled_s8(const nibble_rescale_s8* rescale, const uint32_t* words,
                                        int32_t acc) {
  int32_t value, first = (int32_t)words[0];
  if (rescale->form == NIBBLE_RESCALE_FUSED) {
    value = (int32_t)(((int64_t)acc * first + words[1]) >> 32);
  } else if (rescale->form == NIBBLE_RESCALE_HIGH) {
    value = (int32_t)(((int64_t)acc * 4 * first) >> 32);
    if (rescale->away && acc < 0) value -= 2;
    value = (value + (int32_t)words[1]) >> words[2];
  } else {
    uint32_t multiplier = words[1 + rescale->away];
    int32_t addend = (int32_t)words[2 + rescale->away];
    int32_t upper = (int32_t)(multiplier >> rescale->split);
    int32_t lower = (int32_t)(multiplier - ((uint32_t)upper << rescale->split));
    acc = rescale->away ? nibble_rescale_clamp(acc, first, (int32_t)words[1])
                        : nibble_rescale_clamp(acc, -first, first);
    if (rescale->form == NIBBLE_RESCALE_SINGLE)
      return (int8_t)((acc * (int32_t)multiplier + addend) >> 24);
    value = acc * upper + ((acc * lower) >> rescale->split) + addend;
    if (rescale->away && acc < 0) value += (int32_t)words[4];
    return (int8_t)(value >> 22);
  }
  return (int8_t)nibble_rescale_clamp(value, rescale->act_min, rescale->act_max);
}

#endif
