/* Sliding windows over an image axis: which taps lie inside, so that inner loops need no test at
 * the border. */
#ifndef NIBBLE_COMMON_WINDOW_H
#define NIBBLE_COMMON_WINDOW_H

#include <stdint.h>

/* Taps at distance `dilation` that it takes to pass over `distance` positions; 0 if there is
 * nothing to pass. */
static inline int32_t nibble_taps_to_cover(int32_t distance, int32_t dilation) {
  if (distance <= 0) return 0;
  return dilation == 1 ? distance : (distance + dilation - 1) / dilation;
}

/* Taps first <= k < end of a window that starts at `origin` lie inside [0, extent). */
static inline int32_t nibble_first_tap(int32_t origin, int32_t dilation) {
  return nibble_taps_to_cover(-origin, dilation);
}

static inline int32_t nibble_end_tap(int32_t origin, int32_t extent, int32_t k, int32_t dilation) {
  int32_t end = nibble_taps_to_cover(extent - origin, dilation);
  return end < k ? end : k;
}

#endif
