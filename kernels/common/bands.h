/* What a loop over bands of rows needs (groups of layers, of which only a window of rows of each
   result exists at one time). */
#ifndef NIBBLE_COMMON_BANDS_H
#define NIBBLE_COMMON_BANDS_H

#include "common/copy_s8.h"
#include "common/nibble_common.h"

/* The address `offset` bytes above the arena's first: of row 0 of an image of which only later rows
   exist, so that it may lie outside the arena. Computed as a number, since C knows no such pointer.
 */
static inline void* nibble_row_address(uint8_t* arena, int32_t offset) {
  return (void*)((uintptr_t)arena + (uintptr_t)(intptr_t)offset);
}

/* Moves `len` bytes from `step` bytes further up down to dst. */
static inline void nibble_move_down(uint8_t* dst, int32_t step, int32_t len) {
  int8_t* to = (int8_t*)dst;
  if (step <= 0) return;
  for (; len > step; len -= step, to += step) nibble_copy_s8(to, to + step, step);
  if (len > 0) nibble_copy_s8(to, to + step, len);
}

#endif
