/* The windows of a convolution of s16 activations, gathered pixel by pixel into a buffer in which
   the inner loops of functions written per layer need no test at the border. A window is k_h * k_w
   taps of in_c elements; what lies outside the image is zero. A run is what is contiguous in the
   source: a kernel row, or one tap where columns are apart (dilation_w > 1). */
#ifndef NIBBLE_COMMON_WINDOW_S16_H
#define NIBBLE_COMMON_WINDOW_S16_H

#include "common/copy_s8.h"
#include "common/nibble_common.h"

typedef struct {
  int32_t in_h;
  int32_t in_w;
  int32_t in_c;
  int32_t out_w;
  int32_t k_h;
  int32_t k_w;
  int32_t stride_h;
  int32_t stride_w;
  int32_t dilation_h;
  int32_t dilation_w;
  int32_t pad_top;
  int32_t pad_left;
} nibble_window_s16;

/* Where the C library's memcpy is made to be small: words, if both lie on words. */
static inline void nibble_copy_s16(int16_t* to, const int16_t* from, int32_t len) {
#if (defined(__riscv) && !defined(__riscv_v)) || (defined(__thumb__) && !defined(__thumb2__))
  const int16_t* end = from + len;
  if ((((uintptr_t)to | (uintptr_t)from) & 3) == 0)
    for (; end - from >= 8; from += 8, to += 8) {
      uint32_t words[4];
      memcpy(words, __builtin_assume_aligned(from, 4), sizeof words);
      /* Compilers would see a memcpy of it all. */
      __asm__ volatile("" : "+r"(words[0]), "+r"(words[1]), "+r"(words[2]), "+r"(words[3]));
      memcpy(__builtin_assume_aligned(to, 4), words, sizeof words);
    }
  while (from != end) {
    int32_t elem = *from++;
    __asm__ volatile("" : "+r"(elem));
    *to++ = (int16_t)elem;
  }
#else
  nibble_copy_s8((int8_t*)to, (const int8_t*)from, 2 * len);
#endif
}

/* How a buffer takes a run: `len` elements from `from` (null: zeros) are its elements `at`, at + 1,
   ... of the pixel whose place is `to`. */
typedef void (*nibble_put_s16)(int16_t* to, int32_t at, const int16_t* from, int32_t len);

/* Pixels in turn, three words of two elements each: [word][pixel]. */
enum { NIBBLE_TRIPLES = 3 };
static inline void nibble_put_triples_s16(int16_t* to, int32_t at, const int16_t* from,
                                          int32_t len) {
  int32_t i = 0;
  if ((at & 1) == 0) {
    int16_t* word = to + at * NIBBLE_TRIPLES;
    for (; i + 4 <= len; i += 4, word += 4 * NIBBLE_TRIPLES) {
      uint32_t first = 0, second = 0;
      if (from) {
        memcpy(&first, from + i, sizeof first);
        memcpy(&second, from + i + 2, sizeof second);
      }
      memcpy(word, &first, sizeof first);
      memcpy(word + 2 * NIBBLE_TRIPLES, &second, sizeof second);
    }
  }
  if (i < len) {
    uint32_t place = (uint32_t)at + (uint32_t)i;
    int16_t* half = to + (place >> 1) * 2 * NIBBLE_TRIPLES + (place & 1);
    if (from) from += i;
    /* Counted down: compilers that know nothing of len see an index leave its range. */
    for (int32_t left = len - i; left > 0; --left, ++place) {
      *half = from ? *from++ : (int16_t)0;
      half += 1 + (place & 1) * (2 * NIBBLE_TRIPLES - 2);
    }
  }
}

/* One element after the other. */
static inline void nibble_put_row_s16(int16_t* to, int32_t at, const int16_t* from, int32_t len) {
  if (from)
    nibble_copy_s16(to + at, from, len);
  else
    nibble_fill_s8((int8_t*)(to + at), 0, 2 * len);
}

/* The window of output (oy, ox) of the image `src`. Runs begin `run_step` elements apart. */
static inline void nibble_gather_s16(const nibble_window_s16* shape, const int16_t* src, int32_t oy,
                                     int32_t ox, int32_t run_step, nibble_put_s16 put,
                                     int16_t* to) {
  int32_t joined = shape->dilation_w == 1, at = 0;
  int32_t columns = joined ? shape->k_w : 1, runs = joined ? 1 : shape->k_w;
  int32_t y = oy * shape->stride_h - shape->pad_top;
  for (int32_t ky = 0; ky < shape->k_h; ++ky, y += shape->dilation_h) {
    int32_t x = ox * shape->stride_w - shape->pad_left;
    for (int32_t run = 0; run < runs; ++run, x += shape->dilation_w, at += run_step) {
      int32_t first = x < 0 ? -x : 0, end = shape->in_w - x < columns ? shape->in_w - x : columns;
      if (y < 0 || y >= shape->in_h || first >= end) {
        put(to, at, 0, columns * shape->in_c);
        continue;
      }
      if (first > 0) put(to, at, 0, first * shape->in_c);
      put(to, at + first * shape->in_c,
          src + ((int32_t)(y * shape->in_w) + x + first) * shape->in_c,
          (end - first) * shape->in_c);
      if (end < columns) put(to, at + end * shape->in_c, 0, (columns - end) * shape->in_c);
    }
  }
}

#endif
