/* mean_s8 in portable C: one output at a time. */
#include "common/output_s8.h"
#include "mean/mean_s8.h"

NIBBLE_API void nibble_mean_s8_ref(const nibble_mean_s8_args* args, const int8_t* src,
                                   int8_t* dst) {
  int32_t inner = args->inner;
  int32_t block = args->axis_b * inner;
  int32_t step_a = args->middle * block;
  int32_t zero_sum = args->in_zero * (args->axis_a * args->axis_b);
  for (int32_t o = 0; o < args->outer; ++o) {
    for (int32_t m = 0; m < args->middle; ++m) {
      for (int32_t i = 0; i < inner; ++i) {
        const int8_t* first = src + m * block + i;
        int32_t sum = 0;
        for (int32_t a = args->axis_a; a > 0; --a) {
          const int8_t* elem = first;
          for (int32_t b = args->axis_b; b > 0; --b) {
            sum += *elem;
            elem += inner;
          }
          first += step_a;
        }
        *dst++ = nibble_output_s8(sum - zero_sum, args->multiplier, args->exponent, args->rounding,
                                  args->out_zero, args->act_min, args->act_max);
      }
    }
    src += args->axis_a * step_a;
  }
}
