/* Semihosting: how a program on an emulated core reaches the host's files, console and exit. Each
   port supplies nibble_semihost_call for its core; the rest is common. See Arm, "Semihosting for
   AArch32 and AArch64", and "RISC-V Semihosting", 1.0, which takes over its operations. */
#ifndef NIBBLE_PORTS_SEMIHOSTING_H
#define NIBBLE_PORTS_SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

/* Operation number and parameter block (or value) → result of the host. */
intptr_t nibble_semihost_call(uintptr_t operation, uintptr_t parameter);

/* A host file, binary. Returns a handle, or -1. */
intptr_t nibble_host_open_read(const char* path);
intptr_t nibble_host_open_write(const char* path);
/* Returns 0 when all `len` bytes went through. */
int nibble_host_read(intptr_t file, void* dst, size_t len);
int nibble_host_write(intptr_t file, const void* src, size_t len);
void nibble_host_close(intptr_t file);
/* On the emulator's standard error. */
void nibble_host_print(const char* text);
void nibble_host_print_hex(const char* label, uint32_t value);
/* Ends the emulator with this exit code. */
_Noreturn void nibble_host_exit(int code);

#endif
