/* Where the harness keeps the inputs and outputs of a model. On the emulated core: where they lie
   in the library's static arena, so that no copy is made and no memory taken beside it. On the
   host: heap blocks of exactly their size, so that AddressSanitizer sees every access beside them.
 */
#ifndef NIBBLE_PORTS_HARNESS_BUFFERS_H
#define NIBBLE_PORTS_HARNESS_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#if defined(NIBBLE_HARNESS_HEAP)
#define NIBBLE_HARNESS_ALLOCATE(pointer, size, in_arena) pointer = harness_allocate(size);
#define NIBBLE_HARNESS_FREE(pointer) free(pointer);
#else
#define NIBBLE_HARNESS_ALLOCATE(pointer, size, in_arena) pointer = in_arena;
#endif

#endif
