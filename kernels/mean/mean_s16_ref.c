/* mean_s16 in portable C: one output at a time. */
#include "common/output_s16.h"
#include "mean/mean_s16.h"

NIBBLE_API void nibble_mean_s16_ref(const nibble_mean_s16_args* args, const int16_t* src,
                                    int16_t* dst) {
  int32_t inner = args->inner;
  int32_t block = args->axis_b * inner;
  int32_t step_a = args->middle * block;
  for (int32_t o = 0; o < args->outer; ++o) {
    for (int32_t m = 0; m < args->middle; ++m) {
      for (int32_t i = 0; i < inner; ++i) {
        const int16_t* first = src + m * block + i;
        int32_t sum = 0;
        for (int32_t a = args->axis_a; a > 0; --a) {
          const int16_t* elem = first;
          for (int32_t b = args->axis_b; b > 0; --b) {
            sum += *elem;
            elem += inner;
          }
          first += step_a;
        }
        *dst++ = nibble_output_s16(sum, args->multiplier, args->exponent, args->rounding,
                                   args->act_min, args->act_max);
      }
    }
    src += args->axis_a * step_a;
  }
}
