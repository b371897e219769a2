/* lookup_s8: dst = table[src], element by element, over `rows` rows of row_len elements.

   table has 256 elements; the entry of value q stands at index (uint8_t)q, so 0..127 come first,
   then -128..-1. The compiler fills it from the exact integer definition of the function (sigmoid,
   tanh, hard swish, leaky relu, a change of scale ...). Row r of src begins at r * src_stride, of
   dst at r * dst_stride. With equal strides dst may be src. */
#ifndef NIBBLE_LOOKUP_LOOKUP_S8_H
#define NIBBLE_LOOKUP_LOOKUP_S8_H

#include "common/nibble_common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t rows;
  int32_t row_len;
  int32_t src_stride;
  int32_t dst_stride;
  const int8_t* table;
} nibble_lookup_s8_args;

NIBBLE_API void nibble_lookup_s8_ref(const nibble_lookup_s8_args* args, const int8_t* src,
                                     int8_t* dst);

#ifdef __cplusplus
}
#endif

#endif
