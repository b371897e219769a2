/* leaky_relu_s16 in portable C. */
#include "common/output_s16.h"
#include "leaky_relu/leaky_relu_s16.h"

NIBBLE_API void nibble_leaky_relu_s16_ref(const nibble_leaky_relu_s16_args* args,
                                          const int16_t* src, int16_t* dst) {
  int32_t i;
  for (i = 0; i < args->len; ++i) {
    int32_t value = src[i];
    int32_t multiplier = value >= 0 ? args->multiplier : args->alpha_multiplier;
    int32_t exponent = value >= 0 ? args->exponent : args->alpha_exponent;
    dst[i] = nibble_output_s16(value, multiplier, exponent, args->rounding, args->act_min,
                               args->act_max);
  }
}
