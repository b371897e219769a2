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
#define NIBBLE_UNUSED __attribute__((unused))
/* A function that is nothing but its assembly. GCC would look into a static one and conclude from
   an empty body which registers it leaves alone and which arguments nobody needs; noipa stops that.
 */
#if defined(__clang__)
#define NIBBLE_NAKED __attribute__((naked, noinline, unused))
#else
#define NIBBLE_NAKED __attribute__((naked, noipa, unused))
#endif
/* The assembly of a function is one string literal, longer than C promises to support. */
#define NIBBLE_ASSEMBLY_BEGIN \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Woverlength-strings\"")
#define NIBBLE_ASSEMBLY_END _Pragma("GCC diagnostic pop")
#else
#define NIBBLE_UNUSED
#define NIBBLE_RESTRICT
#define NIBBLE_LOOP static
#endif

/* Before a loop that turns floats into integers: as vectors it would hold vfcvt.rtz, which QEMU 7.2
   does not survive where it comes first in a block (decode_save_opc asserts). */
#if defined(__clang__) && defined(__riscv_vector)
#define NIBBLE_SCALAR_LOOP _Pragma("clang loop vectorize(disable) interleave(disable)")
#else
#define NIBBLE_SCALAR_LOOP
#endif

#endif
