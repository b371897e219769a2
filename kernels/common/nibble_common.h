/* What every kernel includes: linkage of the kernels, and a portable spelling of restrict. An
   emitted library defines NIBBLE_API as static, because all its kernels stand in its one
   translation unit. C11 and C++17. */
#ifndef NIBBLE_COMMON_NIBBLE_COMMON_H
#define NIBBLE_COMMON_NIBBLE_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef NIBBLE_API
#define NIBBLE_API
#endif

#if defined(__GNUC__) || defined(__clang__)
#define NIBBLE_RESTRICT __restrict__
/* A helper with a hot loop that wants all registers for itself. */
#define NIBBLE_LOOP static __attribute__((noinline, unused))
#else
#define NIBBLE_RESTRICT
#define NIBBLE_LOOP static
#endif

#endif
