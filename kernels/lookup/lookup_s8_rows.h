/* lookup_s8 for functions written per instruction set: a table of 256 entries, the one of value q
   at index (uint8_t)q, over rows of len elements. src_step and dst_step lead from the end of a row
   to the next. dst may be src if both steps are equal. */
#ifndef NIBBLE_LOOKUP_LOOKUP_S8_ROWS_H
#define NIBBLE_LOOKUP_LOOKUP_S8_ROWS_H

#include "common/nibble_common.h"

static inline void nibble_lookup_s8_rows(const int8_t* src, int8_t* dst, const int8_t* table,
                                         int32_t rows, int32_t src_step, int32_t dst_step,
                                         int32_t len) {
  for (int32_t row = 0;;) {
    for (int32_t i = 0; i < len; ++i) dst[i] = table[(uint8_t)src[i]];
    if (++row == rows) return;
    src += len + src_step;
    dst += len + dst_step;
  }
}

#endif
