/* Portable table look-up. */
#include "lookup/lookup_s8.h"

NIBBLE_API void nibble_lookup_s8_ref(const nibble_lookup_s8_args* args, const int8_t* src,
                                     int8_t* dst) {
  const int8_t* table = args->table;
  const int32_t row_len = args->row_len;
  int32_t row, i;
  for (row = 0; row < args->rows; ++row) {
    const int8_t* src_row = src + row * args->src_stride;
    int8_t* dst_row = dst + row * args->dst_stride;
    for (i = 0; i < row_len; ++i) dst_row[i] = table[(uint8_t)src_row[i]];
  }
}
