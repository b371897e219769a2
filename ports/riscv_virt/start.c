/* Start-up of a firmware on QEMU's RISC-V machine "virt", machine mode only: stack, memory, traps.
   It starts at the first address of RAM, where -bios none puts the program counter. */
#include <stdint.h>

#include "semihosting.h"

extern uint32_t nibble_data_load[], nibble_data_start[], nibble_data_end[];
extern uint32_t nibble_bss_start[], nibble_bss_end[];

int main(void);
void nibble_reset(void);
void nibble_trap(void);
_Noreturn void nibble_start_c(void);
_Noreturn void nibble_report_trap(uint32_t cause, uint32_t pc, uint32_t value);

enum { kExitFault = 70 };

/* __global_pointer$ is not defined, so the linker does not address data relative to gp and gp need
 * not be set. */
__attribute__((naked, section(".nibble_reset"), used)) void nibble_reset(void) {
  __asm__ volatile(
      ".option arch, +zicsr\n\t"
      "la sp, nibble_stack_top\n\t"
      "la t0, nibble_trap\n\t"
      "csrw mtvec, t0\n\t"
#if defined(__riscv_flen)
      "li t0, 0x6000\n\t" /* mstatus.FS: the floating-point unit is on */
      "csrs mstatus, t0\n\t"
#endif
#if defined(__riscv_v)
      "li t0, 0x600\n\t" /* mstatus.VS: so are the vectors, before any C may use them */
      "csrs mstatus, t0\n\t"
#endif
      "j nibble_start_c\n\t");
}

__attribute__((naked, aligned(4))) void nibble_trap(void) {
  __asm__ volatile(
      ".option arch, +zicsr\n\t"
      "csrr a0, mcause\n\t"
      "csrr a1, mepc\n\t"
      "csrr a2, mtval\n\t"
      "la sp, nibble_stack_top\n\t"
      "j nibble_report_trap\n\t");
}

/* The three instructions are the mark of a semihosting call; they must not be compressed or lie
 * across pages. */
__attribute__((naked, aligned(16))) intptr_t nibble_semihost_call(uintptr_t operation
                                                                  __attribute__((unused)),
                                                                  uintptr_t parameter
                                                                  __attribute__((unused))) {
  __asm__ volatile(
      ".option push\n\t"
      ".option norvc\n\t"
      "slli zero, zero, 0x1f\n\t"
      "ebreak\n\t"
      "srai zero, zero, 0x7\n\t"
      "ret\n\t"
      ".option pop\n\t");
}

_Noreturn void nibble_start_c(void) {
  volatile uint32_t* dst;
  const uint32_t* src = nibble_data_load;
  for (dst = nibble_data_start; dst < nibble_data_end; ++dst) *dst = *src++;
  for (dst = nibble_bss_start; dst < nibble_bss_end; ++dst) *dst = 0;
  nibble_host_exit(main());
}

_Noreturn void nibble_report_trap(uint32_t cause, uint32_t pc, uint32_t value) {
  nibble_host_print_hex("nibble: fault: mcause ", cause);
  nibble_host_print_hex(" pc ", pc);
  nibble_host_print_hex(" value ", value);
  nibble_host_print("\n");
  nibble_host_exit(kExitFault);
}
