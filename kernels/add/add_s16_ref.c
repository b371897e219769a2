/* Portable addition of two tensors of the same shape; also computes residual connections in place.
 */
#include "add/add_elem_s16.h"
#include "add/add_s16.h"

NIBBLE_API void nibble_add_s16_ref(const nibble_add_s16_args* args, const int16_t* src,
                                   const int16_t* rhs, int16_t* dst) {
  const nibble_add_scaling_s16 cfg = NIBBLE_ADD_SCALING_S16(args);
  const int32_t len = args->len;
  int32_t i;
  for (i = 0; i < len; ++i) dst[i] = nibble_add_elem_s16(&cfg, src[i], rhs[i]);
}
