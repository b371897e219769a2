// Programs of sizes and numbers only, for tests of plan/: made by hand, at random; and the smallest
// arena of a tiny one, straight from the definition.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "plan/plan.h"

namespace nibble {

struct CallSpec {
  std::vector<int> src;
  int dst;
  bool in_place = false;
  int scratch = -1;
  std::vector<AccessStep> progress = {};
  std::vector<AccessStep> scratch_progress = {};
};

inline Program make_program(const std::vector<int64_t>& sizes, const std::vector<int>& inputs,
                            const std::vector<CallSpec>& calls, const std::vector<int>& outputs) {
  Program program;
  program.name = "test";
  for (size_t i = 0; i < sizes.size(); ++i)
    program.buffers.push_back({"b" + std::to_string(i), sizes[i], 4});
  for (const CallSpec& spec : calls) {
    KernelCall call;
    call.layer = "layer" + std::to_string(program.calls.size());
    call.op = "op";
    call.in_place = spec.in_place;
    call.progress = spec.progress;
    call.scratch_progress = spec.scratch_progress;
    auto add = [&](Operand::Role role, int buffer) {
      Operand operand;
      operand.role = role;
      operand.buffer = buffer;
      call.operands.push_back(operand);
    };
    for (int src : spec.src) add(Operand::Role::kSrc, src);
    add(Operand::Role::kDst, spec.dst);
    if (spec.scratch >= 0) add(Operand::Role::kScratch, spec.scratch);
    program.calls.push_back(call);
  }
  auto port_of = [&](int buffer) {
    ProgramPort port;
    port.name = "b" + std::to_string(buffer);
    port.type.shape = {sizes[static_cast<size_t>(buffer)]};
    port.type.dtype = DType::kS8;
    port.buffer = buffer;
    return port;
  };
  for (int input : inputs) program.inputs.push_back(port_of(input));
  for (int output : outputs) program.outputs.push_back(port_of(output));
  return program;
}

// Straight from the definition: offsets on a grid, every pair live together apart or in place. The
// smallest arena.
inline int64_t brute_force_optimum(const Program& program, int64_t upper) {
  MemoryPlan trial;
  trial.offsets.assign(program.buffers.size(), 0);
  int64_t best = upper + 1;
  std::function<void(size_t)> place = [&](size_t i) {
    if (i == program.buffers.size()) {
      trial.arena_bytes = 0;
      for (size_t k = 0; k < i; ++k)
        trial.arena_bytes =
            std::max(trial.arena_bytes, trial.offsets[k] + program.buffers[k].bytes);
      if (trial.arena_bytes < best && check_plan(program, trial).ok()) best = trial.arena_bytes;
      return;
    }
    for (int64_t offset = 0; offset + program.buffers[i].bytes < best; offset += 4) {
      trial.offsets[i] = offset;
      place(i + 1);
    }
  };
  place(0);
  return best;
}

// Moments as those of a kernel that goes through both in step, more or less.
inline std::vector<AccessStep> random_progress(Rng& rng, int64_t src_bytes, int64_t dst_bytes) {
  std::vector<AccessStep> progress;
  const int64_t moments = rng.integer(1, 6), lag = rng.integer(0, dst_bytes / 2);
  for (int64_t k = 0; k < moments; ++k) {
    int64_t written = std::max<int64_t>(0, dst_bytes * k / moments - lag + rng.integer(0, 3));
    progress.push_back({std::min(dst_bytes, written), src_bytes * (k + 1) / moments});
    if (k > 0)
      progress.back().written_bytes =
          std::max(progress.back().written_bytes, progress[progress.size() - 2].written_bytes);
  }
  return progress;
}

inline Program random_program(Rng& rng, int call_count, int64_t max_units) {
  std::vector<int64_t> sizes;
  std::vector<int> inputs;
  std::vector<CallSpec> calls;
  std::vector<int> tensors;  // all buffers but scratches
  auto size = [&] { return 4 * rng.integer(1, max_units); };
  int input_count = static_cast<int>(rng.integer(1, 2));
  for (int i = 0; i < input_count; ++i) {
    inputs.push_back(i);
    tensors.push_back(i);
    sizes.push_back(size());
  }
  for (int t = 0; t < call_count; ++t) {
    CallSpec spec;
    int sources = static_cast<int>(rng.integer(1, 2));
    for (int s = 0; s < sources; ++s) {
      int64_t last = static_cast<int64_t>(tensors.size()) - 1;
      spec.src.push_back(
          tensors[static_cast<size_t>(rng.integer(std::max<int64_t>(0, last - 3), last))]);
    }
    spec.in_place = rng.integer(0, 1) == 1;
    spec.dst = static_cast<int>(sizes.size());
    tensors.push_back(spec.dst);
    sizes.push_back(spec.in_place ? sizes[static_cast<size_t>(spec.src[0])] : size());
    if (rng.integer(0, 1) == 1)
      spec.progress = random_progress(rng, sizes[static_cast<size_t>(spec.src[0])], sizes.back());
    if (rng.integer(0, 3) == 0) {
      spec.scratch = static_cast<int>(sizes.size());
      sizes.push_back(size());
      if (rng.integer(0, 2) > 0)
        spec.scratch_progress =
            random_progress(rng, sizes[static_cast<size_t>(spec.src[0])], sizes.back());
    }
    calls.push_back(spec);
  }
  std::vector<int> outputs = {tensors.back()};
  if (rng.integer(0, 2) == 0)
    outputs.push_back(
        tensors[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(tensors.size()) - 1))]);
  return make_program(sizes, inputs, calls, outputs);
}

}  // namespace nibble
