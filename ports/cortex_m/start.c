/* Start-up of a Cortex-M firmware without a C library: vector table, memory, floating-point and
   vector unit, faults. For every profile from ARMv6-M to ARMv8.1-M; link.ld.in places it. */
#include <stdint.h>

#include "semihosting.h"

extern uint32_t nibble_stack_top[], nibble_stack_limit[];
extern uint32_t nibble_data_load[], nibble_data_start[], nibble_data_end[];
extern uint32_t nibble_bss_start[], nibble_bss_end[];

int main(void);
void nibble_reset(void);
void nibble_fault(void);
void nibble_report_fault(const uint32_t* frame, uint32_t exception);

#define REGISTER(address) (*(volatile uint32_t*)(uintptr_t)(address))

enum { kCpacr = 0xE000ED88u, kCfsr = 0xE000ED28u, kHfsr = 0xE000ED2Cu, kBfar = 0xE000ED38u };
enum { kExitFault = 70 };

typedef void (*handler)(void);

/* Stack pointer, then the fifteen exceptions of the core. The machine's own interrupts stay off. */
__attribute__((section(".nibble_vectors"), used)) static const handler vectors[16] = {
    (handler)(uintptr_t)nibble_stack_top,
    nibble_reset,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault,
    nibble_fault};

intptr_t nibble_semihost_call(uintptr_t operation, uintptr_t parameter) {
  register uintptr_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return (intptr_t)r0;
}

void nibble_reset(void) {
  volatile uint32_t* dst;
  const uint32_t* src = nibble_data_load;
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  /* Full access to coprocessors 10 and 11, before anything uses a floating-point or vector
   * register. */
  REGISTER(kCpacr) |= 0xFu << 20;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
  /* A stack that outgrows its region faults instead of overwriting data. */
  __asm__ volatile("msr msplim, %0" ::"r"(nibble_stack_limit));
#endif
  for (dst = nibble_data_start; dst < nibble_data_end; ++dst) *dst = *src++;
  for (dst = nibble_bss_start; dst < nibble_bss_end; ++dst) *dst = 0;
  nibble_host_exit(main());
}

/* Reports on a fresh stack: the old one may be what went wrong. */
__attribute__((naked)) void nibble_fault(void) {
  __asm__ volatile(
      "mrs r0, msp\n\t"
      "mrs r1, ipsr\n\t"
      "ldr r2, =nibble_stack_top\n\t"
      "msr msp, r2\n\t"
      "bl nibble_report_fault\n\t");
}

void nibble_report_fault(const uint32_t* frame, uint32_t exception) {
  nibble_host_print_hex("nibble: fault: exception ", exception);
#if !defined(__ARM_ARCH_6M__)
  nibble_host_print_hex(" cfsr ", REGISTER(kCfsr));
  nibble_host_print_hex(" hfsr ", REGISTER(kHfsr));
  nibble_host_print_hex(" bfar ", REGISTER(kBfar));
#endif
  if (frame >= nibble_stack_limit && frame + 8 <= nibble_stack_top) {
    nibble_host_print_hex(" pc ", frame[6]);
    nibble_host_print_hex(" lr ", frame[5]);
  } else {
    nibble_host_print(" stack overflow");
  }
  nibble_host_print("\n");
  nibble_host_exit(kExitFault);
}
