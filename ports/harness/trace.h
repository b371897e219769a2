/* Writes an image of the library's arena to a host file after each kernel call. */
#ifndef NIBBLE_PORTS_TRACE_H
#define NIBBLE_PORTS_TRACE_H

#include <stddef.h>

void nibble_trace(int index, const void* arena, size_t bytes);

#endif
