/* Portable addition of two tensors of the same shape; also computes residual connections in place.
 */
#include "add/add_elem.h"
#include "add/add_s8.h"

NIBBLE_API void nibble_add_s8_ref(const nibble_add_s8_args* args, const int8_t* src,
                                  const int8_t* rhs, int8_t* dst) {
  const nibble_add_scaling cfg = NIBBLE_ADD_SCALING(args);
  const int32_t len = args->len;
  int32_t i;
  for (i = 0; i < len; ++i) dst[i] = nibble_add_elem_s8(&cfg, src[i], rhs[i]);
}
