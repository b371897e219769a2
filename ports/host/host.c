/* The harness's counterpart on the machine that compiles: the same files, the C library instead of
   semihosting, arena and ports in heap blocks of exact size. Meant to be compiled with
   AddressSanitizer and UndefinedBehaviorSanitizer. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void* harness_allocate(size_t size) {
  void* block = malloc(size);
  if (!block) abort();
  return block;
}

static int nibble_host_read(FILE* file, void* dst, size_t len) {
  return fread(dst, 1, len, file) == len ? 0 : -1;
}

static int nibble_host_write(FILE* file, const void* src, size_t len) {
  return fwrite(src, 1, len, file) == len ? 0 : -1;
}

#define NIBBLE_HARNESS_HEAP
#include "harness_model.h"

static void* allocate_arena(void) {
  void* arena = NULL;
  size_t align =
      NIBBLE_HARNESS_ARENA_ALIGN > sizeof(void*) ? NIBBLE_HARNESS_ARENA_ALIGN : sizeof(void*);
  if (posix_memalign(&arena, align, NIBBLE_HARNESS_ARENA_BYTES) != 0) abort();
  return arena;
}

static int fail(const char* text) {
  fputs(text, stderr);
  return 1;
}

int main(void) {
  uint32_t samples = 0;
  uint32_t header[3] = {0, 0, 0};
  FILE* input = fopen("input.bin", "rb");
  FILE* output = fopen("output.bin", "wb");
  if (!input || !output) return fail("nibble: input.bin or output.bin cannot be opened\n");
  if (nibble_host_read(input, &samples, sizeof samples) != 0)
    return fail("nibble: input.bin is empty\n");
  for (; samples > 0; --samples) {
    /* Fresh blocks for every sample: what one leaves behind cannot help the next. */
    void* arena = allocate_arena();
    NIBBLE_HARNESS_ALLOCATE_ALL()
    if (!NIBBLE_HARNESS_READ(input)) return fail("nibble: input.bin ends early\n");
    header[0] = (uint32_t)NIBBLE_HARNESS_INVOKE_IN(arena);
    if (nibble_host_write(output, header, sizeof header) != 0 || !NIBBLE_HARNESS_WRITE(output))
      return fail("nibble: output.bin cannot be written (disk full?)\n");
    NIBBLE_HARNESS_FREE_ALL()
    free(arena);
  }
  if (fclose(output) != 0) return fail("nibble: output.bin cannot be written (disk full?)\n");
  return fclose(input);
}
