/* Runs a model's library on an emulated core over a whole set of samples in one boot: reads each
   sample from a host file, calls the entry point, writes status, stack peak and outputs to another.
   harness_model.h is generated for the library.

   The instruction counter watches addresses that this file and the library's layer hook leave in
   the section .debug_nibble_hooks; a mark is no instruction, so what is measured is what a user's
   program executes. */
#include "harness_model.h"
#include "marks.h"
#include "semihosting.h"

extern uint32_t nibble_stack_limit[], nibble_stack_top[];

enum { kExitNoFile = 71, kExitShortInput = 72, kExitOutputFull = 73 };
enum { kPaint = 0x5AC3E187 };

/* What is written before a sample's outputs. */
typedef struct {
  uint32_t status;
  uint32_t stack_bytes;
  uint32_t caller_stack_bytes;
} sample_result;

static sample_result result;

static inline uintptr_t stack_pointer(void) {
  uintptr_t sp;
#if defined(__riscv)
  __asm__ volatile("mv %0, sp" : "=r"(sp));
#else
  __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
  return sp;
}

/* Paints the stack below this frame, calls the model, and looks how far down the paint is gone. */
#if defined(__clang__)
static __attribute__((noinline)) void invoke_and_measure(void) {
#else
static __attribute__((noinline, noclone)) void invoke_and_measure(void) {
#endif
  const uintptr_t sp = stack_pointer();
  volatile uint32_t* word;
  int32_t status;
  for (word = nibble_stack_limit; (uintptr_t)word < sp; ++word) *word = kPaint;
  status = (int32_t)NIBBLE_HARNESS_INVOKE();
  /* The next address is where the call returns to. */
  __asm__ volatile(NIBBLE_MARK(1) : "+r"(status) : "i"(NIBBLE_MARK_RETURN));
  for (word = nibble_stack_limit; (uintptr_t)word < sp && *word == kPaint; ++word) {
  }
  result.status = (uint32_t)status;
  result.stack_bytes = (uint32_t)(sp - (uintptr_t)word);
  result.caller_stack_bytes = (uint32_t)((uintptr_t)nibble_stack_top - sp);
}

static void fail(const char* text, int code) {
  nibble_host_print(text);
  nibble_host_exit(code);
}

int main(void) {
  uint32_t samples = 0;
  uint32_t idx;
  const intptr_t input = nibble_host_open_read("input.bin");
  const intptr_t output = nibble_host_open_write("output.bin");
  if (input < 0 || output < 0)
    fail("nibble: input.bin or output.bin cannot be opened\n", kExitNoFile);
  if (nibble_host_read(input, &samples, sizeof samples) != 0)
    fail("nibble: input.bin is empty\n", kExitShortInput);
  NIBBLE_HARNESS_ALLOCATE_ALL()
  for (idx = 0; idx < samples; ++idx) {
    if (!NIBBLE_HARNESS_READ(input)) fail("nibble: input.bin ends early\n", kExitShortInput);
    invoke_and_measure();
    if (nibble_host_write(output, &result, sizeof result) != 0 || !NIBBLE_HARNESS_WRITE(output))
      fail("nibble: output.bin cannot be written (disk full?)\n", kExitOutputFull);
  }
  nibble_host_close(output);
  nibble_host_close(input);
  return 0;
}
