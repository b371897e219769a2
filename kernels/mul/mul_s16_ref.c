/* Portable product of two tensors of the same shape. */
#include "mul/mul_elem_s16.h"
#include "mul/mul_s16.h"

NIBBLE_API void nibble_mul_s16_ref(const nibble_mul_s16_args* args, const int16_t* src,
                                   const int16_t* rhs, int16_t* dst) {
  const nibble_mul_scaling_s16 cfg = NIBBLE_MUL_SCALING_S16(args);
  const int32_t len = args->len;
  int32_t i;
  for (i = 0; i < len; ++i) dst[i] = nibble_mul_elem_s16(&cfg, src[i], rhs[i]);
}
