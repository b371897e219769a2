/* softmax_s16 in portable C. */
#include "softmax/softmax_rows_s16.h"
#include "softmax/softmax_s16.h"

NIBBLE_API void nibble_softmax_s16_ref(const nibble_softmax_s16_args* args, const int16_t* src,
                                       int16_t* dst) {
  int32_t row;
  for (row = 0; row < args->rows; ++row, src += args->row_len, dst += args->row_len)
    nibble_softmax_row_s16(args->exp_table, args->reciprocal_table, args->multiplier,
                           args->exponent, src, dst, args->row_len);
}
