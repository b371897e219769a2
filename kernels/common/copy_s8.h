/* Short copies and fills of bytes inside kernels: on cores with vectors many bytes at a time, on
   RV32 words. */
#ifndef NIBBLE_COMMON_COPY_S8_H
#define NIBBLE_COMMON_COPY_S8_H

#include "common/nibble_common.h"

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)

static inline void nibble_copy_s8(int8_t* dst, const int8_t* src, int32_t len) {
  __asm__ volatile(
      "wlstp.8 lr, %2, 2f\n"
      "1:\n"
      "vldrb.u8 q0, [%1], #16\n"
      "vstrb.8 q0, [%0], #16\n"
      "letp lr, 1b\n"
      "2:"
      : "+r"(dst), "+r"(src)
      : "r"(len)
      : "lr", "q0", "memory");
}

static inline void nibble_fill_s8(int8_t* dst, int32_t value, int32_t len) {
  __asm__ volatile(
      "vdup.8 q0, %1\n"
      "wlstp.8 lr, %2, 2f\n"
      "1:\n"
      "vstrb.8 q0, [%0], #16\n"
      "letp lr, 1b\n"
      "2:"
      : "+r"(dst)
      : "r"(value), "r"(len)
      : "lr", "q0", "memory");
}

#elif defined(__riscv_v)

static inline void nibble_copy_s8(int8_t* dst, const int8_t* src, int32_t len) {
  int32_t vl;
  while (len > 0) {
    __asm__ volatile(
        "vsetvli %0, %1, e8, m8, ta, ma\n"
        "vle8.v v0, (%2)\n"
        "vse8.v v0, (%3)\n"
        : "=&r"(vl)
        : "r"(len), "r"(src), "r"(dst)
        : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "vl", "vtype", "memory");
    src += vl;
    dst += vl;
    len -= vl;
  }
}

static inline void nibble_fill_s8(int8_t* dst, int32_t value, int32_t len) {
  int32_t vl;
  while (len > 0) {
    __asm__ volatile(
        "vsetvli %0, %1, e8, m8, ta, ma\n"
        "vmv.v.x v0, %2\n"
        "vse8.v v0, (%3)\n"
        : "=&r"(vl)
        : "r"(len), "r"(value), "r"(dst)
        : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "vl", "vtype", "memory");
    dst += vl;
    len -= vl;
  }
}

#elif defined(__riscv) && __riscv_xlen == 32

/* The libraries of small cores copy byte by byte. */
static inline void nibble_copy_s8(int8_t* dst, const int8_t* src, int32_t len) {
  if ((((uintptr_t)dst | (uintptr_t)src) & 3) == 0) {
    uint32_t a, b, c, d;
    for (; len >= 16; len -= 16, src += 16, dst += 16)
      __asm__ volatile(
          "lw %0, 0(%4)\n"
          "lw %1, 4(%4)\n"
          "lw %2, 8(%4)\n"
          "lw %3, 12(%4)\n"
          "sw %0, 0(%5)\n"
          "sw %1, 4(%5)\n"
          "sw %2, 8(%5)\n"
          "sw %3, 12(%5)\n"
          : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
          : "r"(src), "r"(dst)
          : "memory");
    for (; len >= 4; len -= 4, src += 4, dst += 4)
      __asm__ volatile(
          "lw %0, 0(%1)\n"
          "sw %0, 0(%2)\n"
          : "=&r"(a)
          : "r"(src), "r"(dst)
          : "memory");
  }
  memcpy(dst, src, (size_t)len);
}

static inline void nibble_fill_s8(int8_t* dst, int32_t value, int32_t len) {
  uint32_t word = ((uint32_t)value & 0xffu) * 0x01010101u;
  if (((uintptr_t)dst & 3) == 0)
    for (; len >= 8; len -= 8, dst += 8)
      __asm__ volatile(
          "sw %0, 0(%1)\n"
          "sw %0, 4(%1)\n"
          :
          : "r"(word), "r"(dst)
          : "memory");
  memset(dst, (int)value, (size_t)len);
}

#else

static inline void nibble_copy_s8(int8_t* dst, const int8_t* src, int32_t len) {
  memcpy(dst, src, (size_t)len);
}

static inline void nibble_fill_s8(int8_t* dst, int32_t value, int32_t len) {
  memset(dst, (int)value, (size_t)len);
}

#endif

/* `rows` rows of `len` bytes. */
static inline void nibble_copy_rows_s8(int8_t* dst, int32_t dst_step, const int8_t* src,
                                       int32_t src_step, int32_t rows, int32_t len) {
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
  if (len <= 16) {
    __asm__ volatile(
        "vctp.8 %4\n"
        "wls lr, %5, 2f\n"
        "1:\n"
        "vpstt\n"
        "vldrbt.u8 q0, [%1]\n"
        "vstrbt.8 q0, [%0]\n"
        "add %1, %1, %3\n"
        "add %0, %0, %2\n"
        "le lr, 1b\n"
        "2:"
        : "+r"(dst), "+r"(src)
        : "r"(dst_step), "r"(src_step), "r"(len), "r"(rows)
        : "lr", "q0", "memory");
    return;
  }
#endif
  for (; rows > 0; --rows, src += src_step, dst += dst_step) nibble_copy_s8(dst, src, len);
}

#endif
