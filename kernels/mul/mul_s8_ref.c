/* Portable product of two tensors of the same shape. */
#include "mul/mul_elem.h"
#include "mul/mul_s8.h"

NIBBLE_API void nibble_mul_s8_ref(const nibble_mul_s8_args* args, const int8_t* src,
                                  const int8_t* rhs, int8_t* dst) {
  const nibble_mul_scaling cfg = NIBBLE_MUL_SCALING(args);
  const int32_t len = args->len;
  int32_t i;
  for (i = 0; i < len; ++i) dst[i] = nibble_mul_elem_s8(&cfg, src[i], rhs[i]);
}
