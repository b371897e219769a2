/* The layer hook of a traced firmware, which runs one sample. */
#include "trace.h"

#include "semihosting.h"

enum { kExitTraceFull = 74 };

static intptr_t images = -1;

void nibble_trace(int index, const void* arena, size_t bytes) {
  (void)index;
  if (images < 0) images = nibble_host_open_write("trace.bin");
  if (images < 0 || nibble_host_write(images, arena, bytes) != 0) {
    nibble_host_print("nibble: trace.bin cannot be written (disk full?)\n");
    nibble_host_exit(kExitTraceFull);
  }
}
