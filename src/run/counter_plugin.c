/* A plugin for QEMU's TCG that counts executed guest instructions exactly, sorted by what they cost
   on a core (base/instruction_mix.h), without touching the guest: it writes the running totals to a
   file each time the guest is about to execute an instruction at one of the given addresses.

   -plugin FILE,marks=FILE,totals=FILE. marks: lines "ADDRESS ID" in hexadecimal and decimal.
   totals: records of little-endian 64-bit words, the mark's ID and then every counter of nibble_mix
   as of before the marked instruction, in the order of execution.

   QEMU 7.2 ships no header for plugins, so the part of its plugin interface (version 1, documented
   under "QEMU TCG Plugins") that is used here is declared below. One processor is assumed: totals
   of several would mix. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/decode_rv32.h"
#include "run/decode_thumb.h"

#define NIBBLE_EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
/* The begin of what the emulator hands over: "arm", "riscv32". */
typedef struct {
  const char* target_name;
} qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*tb_translated_callback)(qemu_plugin_id_t id, struct qemu_plugin_tb* tb);
typedef void (*instruction_callback)(unsigned int cpu, void* userdata);
typedef void (*simple_callback)(qemu_plugin_id_t id, void* userdata);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_translated_callback callback);
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

/* A translated block: what one run of it executes, and how often it ran since the last mark. */
typedef struct block {
  nibble_mix mix;
  uint64_t address, end;
  uint64_t runs;
  struct block* next; /* among those that ran */
  /* RISC-V: vector instructions whose LMUL was set before the block, and the LMUL that it leaves
     behind (0: the one before it). */
  uint64_t inherited;
  unsigned leaves_lmul;
  bool ends_loop;
} block;

/* A mark in a block: of what the block was counted for when it was entered, `pending` and what
 * follows the mark are still to come. */
typedef struct site {
  struct site* next; /* in the same block, while that is translated */
  uint64_t id;
  nibble_mix pending;
  uint64_t pending_inherited;
} site;

static nibble_mix total;          /* of blocks that were summed up at a mark */
static block* ran;                /* the others */
static block before_all;          /* stands for what ran before the first block */
static block* last = &before_all; /* the block that runs */
static unsigned lmul = 1;         /* as the last block leaves it */
static unsigned entered_lmul = 1; /* as it found it */
static bool is_riscv;
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

/* sum += times * of; times may be "minus one". */
static void add_counts(nibble_mix* sum, const nibble_mix* of, uint64_t times) {
#define NIBBLE_ADD(name) sum->name += times * of->name;
  NIBBLE_MIX_CLASSES(NIBBLE_ADD)
  NIBBLE_MIX_EVENTS(NIBBLE_ADD)
#undef NIBBLE_ADD
}

static void reached(unsigned int cpu, void* userdata) {
  const site* at = userdata;
  nibble_mix now;
  (void)cpu;
  for (; ran; ran = ran->next) {
    add_counts(&total, &ran->mix, ran->runs);
    ran->runs = 0;
  }
  now = total;
  add_counts(&now, &at->pending, UINT64_MAX);
  now.vector_groups -= at->pending_inherited * (entered_lmul - 1);
  fwrite(&at->id, sizeof at->id, 1, totals);
  fwrite(&now, sizeof now, 1, totals);
}

/* A block is counted as a whole when it is entered, and its instructions are sorted when it is
 * translated: what a run costs does not depend on how many counters there are. Blocks end at
 * branches: where the next one does not follow in memory, the branch was taken. */
static void entered(unsigned int cpu, void* userdata) {
  block* at = userdata;
  (void)cpu;
  total.branch_taken += at->address != last->end && !last->ends_loop;
  last = at;
  if (at->runs++ == 0) {
    at->next = ran;
    ran = at;
  }
  if (!is_riscv) return;
  entered_lmul = lmul;
  total.vector_groups += at->inherited * (lmul - 1);
  if (at->leaves_lmul > 0) lmul = at->leaves_lmul;
}

static nibble_decoded decode(const struct qemu_plugin_insn* insn) {
  uint16_t half[2] = {0, 0};
  memcpy(half, qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn) < 4 ? 2 : 4);
  return is_riscv ? nibble_decode_rv32(half) : nibble_decode_thumb(half);
}

/* Lives as long as the translation, that is, until the emulator ends. */
static void* allocate(size_t bytes) {
  void* memory = calloc(1, bytes);
  if (!memory) abort();
  return memory;
}

/* Adds an instruction of a block to what was counted of it. */
static void add_instruction(const nibble_decoded* insn, const nibble_decoded* before, block* to) {
  nibble_add_decoded(insn, before, &to->mix);
  if (nibble_unit_of(insn) != nibble_unit_none) {
    if (to->leaves_lmul > 0)
      to->mix.vector_groups += to->leaves_lmul - 1;
    else
      ++to->inherited;
  }
  if (insn->sets_lmul > 0) to->leaves_lmul = insn->sets_lmul;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  size_t count = qemu_plugin_tb_n_insns(tb), i;
  nibble_decoded now, before = {nibble_class_alu, 0, 0, 0, 0, 0};
  block* whole;
  site* first = NULL; /* of those in this block, the others behind it */
  (void)id;
  if (count == 0) return;
  whole = allocate(sizeof *whole);
  whole->address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
  for (i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    const mark* found = find_mark(qemu_plugin_insn_vaddr(insn));
    now = decode(insn);
    if (found) {
      site* at = allocate(sizeof *at);
      at->id = found->id;
      /* What came before the mark, until the whole is known. */
      at->pending = whole->mix;
      at->pending_inherited = whole->inherited;
      at->next = first;
      first = at;
      qemu_plugin_register_vcpu_insn_exec_cb(insn, reached, QEMU_PLUGIN_CB_NO_REGS, at);
    }
    add_instruction(&now, i > 0 ? &before : NULL, whole);
    before = now;
    whole->end = qemu_plugin_insn_vaddr(insn) + qemu_plugin_insn_size(insn);
  }
  whole->ends_loop = before.ends_loop != 0;
  for (; first; first = first->next) {
    nibble_mix done = first->pending;
    first->pending = whole->mix;
    add_counts(&first->pending, &done, UINT64_MAX);
    first->pending_inherited = whole->inherited - first->pending_inherited;
  }
  qemu_plugin_register_vcpu_tb_exec_cb(tb, entered, QEMU_PLUGIN_CB_NO_REGS, whole);
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
  for (i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "marks=", 6) == 0) marks_path = argv[i] + 6;
    if (strncmp(argv[i], "totals=", 7) == 0) totals = fopen(argv[i] + 7, "wb");
  }
  if (!marks_path || read_marks(marks_path) != 0 || !totals) {
    fprintf(stderr, "nibble: the instruction counter cannot open its files\n");
    return -1;
  }
  is_riscv = strcmp(info->target_name, "arm") != 0;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
