/* The semihosting operations that the harness needs, the same on every core. */
#include "semihosting.h"

enum {
  kSysOpen = 0x01,
  kSysClose = 0x02,
  kSysWrite0 = 0x04,
  kSysWrite = 0x05,
  kSysRead = 0x06,
  kSysExitExtended = 0x20
};
enum { kOpenReadBinary = 1, kOpenWriteBinary = 5 };
enum { kStoppedApplicationExit = 0x20026 };

static intptr_t host_open(const char* path, uintptr_t mode) {
  uintptr_t block[3];
  size_t len = 0;
  while (path[len] != '\0') ++len;
  block[0] = (uintptr_t)path;
  block[1] = mode;
  block[2] = len;
  return nibble_semihost_call(kSysOpen, (uintptr_t)block);
}

intptr_t nibble_host_open_read(const char* path) { return host_open(path, kOpenReadBinary); }
intptr_t nibble_host_open_write(const char* path) { return host_open(path, kOpenWriteBinary); }

static int transfer(uintptr_t operation, intptr_t file, uintptr_t address, size_t len) {
  uintptr_t block[3];
  if (len == 0) return 0;
  block[0] = (uintptr_t)file;
  block[1] = address;
  block[2] = len;
  /* The host answers with the number of bytes that did not go through. */
  return nibble_semihost_call(operation, (uintptr_t)block) == 0 ? 0 : -1;
}

int nibble_host_read(intptr_t file, void* dst, size_t len) {
  return transfer(kSysRead, file, (uintptr_t)dst, len);
}

int nibble_host_write(intptr_t file, const void* src, size_t len) {
  return transfer(kSysWrite, file, (uintptr_t)src, len);
}

void nibble_host_close(intptr_t file) {
  uintptr_t block[1];
  block[0] = (uintptr_t)file;
  (void)nibble_semihost_call(kSysClose, (uintptr_t)block);
}

void nibble_host_print(const char* text) {
  (void)nibble_semihost_call(kSysWrite0, (uintptr_t)text);
}

void nibble_host_print_hex(const char* label, uint32_t value) {
  char text[12];
  int i;
  for (i = 0; i < 8; ++i) text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
  text[8] = '\0';
  nibble_host_print(label);
  nibble_host_print(text);
}

_Noreturn void nibble_host_exit(int code) {
  uintptr_t block[2];
  block[0] = kStoppedApplicationExit;
  block[1] = (uintptr_t)code;
  for (;;) (void)nibble_semihost_call(kSysExitExtended, (uintptr_t)block);
}
