/* A plugin for QEMU's TCG that counts executed guest instructions exactly and without touching the
   guest: it writes the running total to a file each time the guest is about to execute an
   instruction at one of the given addresses.

   -plugin FILE,marks=FILE,totals=FILE[,cycles=thumb2]. marks: lines "ADDRESS ID" in hexadecimal and
   decimal. totals: records of three little-endian 64-bit words (instructions executed before the
   marked one, their cycles by the rules of thumb2_cycles.h or 0, ID), in the order of execution.

   QEMU 7.2 ships no header for plugins, so the part of its plugin interface (version 1, documented
   under "QEMU TCG Plugins") that is used here is declared below. One processor is assumed: totals
   of several would mix. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thumb2_cycles.h"

#define NIBBLE_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*tb_translated_callback)(qemu_plugin_id_t id, struct qemu_plugin_tb* tb);
typedef void (*instruction_callback)(unsigned int cpu, void* userdata);
typedef void (*simple_callback)(qemu_plugin_id_t id, void* userdata);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_translated_callback callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb* tb, enum qemu_plugin_op op,
                                              void* ptr, uint64_t value);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb* tb, instruction_callback callback,
                                          enum qemu_plugin_cb_flags flags, void* userdata);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn* insn,
                                            instruction_callback callback,
                                            enum qemu_plugin_cb_flags flags, void* userdata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* tb);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* tb, size_t idx);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn* insn);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn* insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn* insn);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, simple_callback callback, void* userdata);

NIBBLE_EXPORT int qemu_plugin_version = 1;
NIBBLE_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int argc,
                                      char** argv);

typedef struct {
  uint64_t address;
  uint64_t id;
} mark;

/* A mark in a translated block: `pending` of the block's instructions, the marked one included, are
 * still to come. */
typedef struct {
  uint64_t id;
  uint64_t pending;
  uint64_t pending_cycles;
} site;

/* A translated block, for its cycles. */
typedef struct {
  uint64_t address;
  uint64_t end;
  uint64_t cycles;
} block;

static uint64_t executed;
static uint64_t cycles;
static uint64_t block_end; /* of the block that ran last */
static bool timed;
static mark* marks;
static size_t mark_count;
static FILE* totals;

static int compare_marks(const void* a, const void* b) {
  uint64_t left = ((const mark*)a)->address;
  uint64_t right = ((const mark*)b)->address;
  return left < right ? -1 : left > right;
}

static const mark* find_mark(uint64_t address) {
  mark key = {address, 0};
  return bsearch(&key, marks, mark_count, sizeof(mark), compare_marks);
}

/* A block is counted as a whole when it is entered, which costs one addition per block instead of
 * one per instruction. */
static void reached(unsigned int cpu, void* userdata) {
  const site* at = userdata;
  uint64_t record[3];
  (void)cpu;
  record[0] = executed - at->pending;
  record[1] = cycles - at->pending_cycles;
  record[2] = at->id;
  fwrite(record, sizeof record, 1, totals);
}

/* Blocks end at branches: where the next one does not follow in memory, the branch was taken. */
static void entered(unsigned int cpu, void* userdata) {
  const block* at = userdata;
  (void)cpu;
  cycles += at->cycles + (at->address == block_end ? 0 : NIBBLE_TAKEN_BRANCH_CYCLES);
  block_end = at->end;
}

static unsigned insn_cycles(const struct qemu_plugin_insn* insn, bool* after_load) {
  uint16_t half[2] = {0, 0};
  if (!timed) return 0;
  memcpy(half, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn) < 4 ? 2 : 4);
  return thumb2_insn_cycles(half, after_load);
}

/* Lives as long as the translation, that is, until the emulator ends. */
static void* allocate(size_t bytes) {
  void* memory = malloc(bytes);
  if (!memory) abort();
  return memory;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  size_t count = qemu_plugin_tb_n_insns(tb);
  uint64_t sum = 0, before = 0;
  bool after_load = false;
  size_t i;
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &executed, count);
  for (i = 0; i < count; ++i) sum += insn_cycles(qemu_plugin_tb_get_insn(tb, i), &after_load);
  after_load = false;
  for (i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    const mark* found = find_mark(qemu_plugin_insn_vaddr(insn));
    if (found) {
      site* at = allocate(sizeof *at);
      at->id = found->id;
      at->pending = count - i;
      at->pending_cycles = sum - before;
      qemu_plugin_register_vcpu_insn_exec_cb(insn, reached, QEMU_PLUGIN_CB_NO_REGS, at);
    }
    before += insn_cycles(insn, &after_load);
  }
  if (timed && count > 0) {
    const struct qemu_plugin_insn* last = qemu_plugin_tb_get_insn(tb, count - 1);
    block* at = allocate(sizeof *at);
    at->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    at->end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
    at->cycles = sum;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, entered, QEMU_PLUGIN_CB_NO_REGS, at);
  }
}

static void finish(qemu_plugin_id_t id, void* userdata) {
  (void)id;
  (void)userdata;
  fflush(totals);
}

static int read_marks(const char* path) {
  FILE* file = fopen(path, "r");
  mark next;
  if (!file) return -1;
  while (fscanf(file, "%" SCNx64 " %" SCNu64, &next.address, &next.id) == 2) {
    mark* grown = realloc(marks, (mark_count + 1) * sizeof *marks);
    if (!grown) abort();
    marks = grown;
    marks[mark_count++] = next;
  }
  fclose(file);
  qsort(marks, mark_count, sizeof *marks, compare_marks);
  return 0;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int argc, char** argv) {
  const char* marks_path = NULL;
  int i;
  (void)info;
  for (i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "marks=", 6) == 0) marks_path = argv[i] + 6;
    if (strncmp(argv[i], "totals=", 7) == 0) totals = fopen(argv[i] + 7, "wb");
    if (strcmp(argv[i], "cycles=thumb2") == 0) timed = true;
  }
  if (!marks_path || read_marks(marks_path) != 0 || !totals) {
    fprintf(stderr, "nibble: the instruction counter cannot open its files\n");
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
