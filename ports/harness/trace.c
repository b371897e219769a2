/* The layer hook of a traced firmware, which runs one sample. */
#include "trace.h"

#include "semihosting.h"

enum { kExitTraceFull = 74 };

static int is_open;
static intptr_t images;

void nibble_trace(int index, const void* arena, size_t bytes) {
  (void)index;
  if (!is_open) images = nibble_host_open_write("trace.bin");
  is_open = 1;
  if (images < 0 || nibble_host_write(images, arena, bytes) != 0) {
    nibble_host_print("nibble: trace.bin cannot be written (disk full?)\n");
    nibble_host_exit(kExitTraceFull);
  }
}
