// A plan in which each call's dst, or its scratch, shares with its first source all that the call
// allows: it starts where the source does, or exactly overlap_distance() below it. Everything else
// lies apart. For
// programs whose calls do not read each other's outputs: a call that says too much of its moments
// then computes something wrong.
#pragma once

#include <algorithm>
#include <numeric>

#include "plan/plan.h"

namespace nibble {

inline Result<MemoryPlan> overlapping_plan(Program& program) {
  MemoryPlan plan;
  plan.offsets.assign(program.buffers.size(), -1);
  plan.lifetimes.resize(program.buffers.size());
  plan.method = "overlapping";
  auto aligned = [](int64_t bytes) { return (bytes + 7) / 8 * 8; };
  auto place = [&](int buffer, int64_t offset) {
    int64_t bytes = program.buffers[static_cast<size_t>(buffer)].bytes;
    plan.offsets[static_cast<size_t>(buffer)] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
  };
  auto placed = [&](int buffer) { return plan.offsets[static_cast<size_t>(buffer)] >= 0; };
  std::vector<int> uses(program.buffers.size(), 0);
  for (const KernelCall& call : program.calls)
    for (const Operand& operand : call.operands)
      if (operand.buffer >= 0) ++uses[static_cast<size_t>(operand.buffer)];
  auto bytes_of = [&](int buffer) { return program.buffers[static_cast<size_t>(buffer)].bytes; };
  // Where a call says more than one, they take turns.
  int turn = 0;
  for (const KernelCall& call : program.calls) {
    int src = call.operands.front().role == Operand::Role::kSrc ? call.operands.front().buffer : -1;
    auto dst = std::ranges::find(call.operands, Operand::Role::kDst, &Operand::role)->buffer;
    int scratch =
        call.operands.back().role == Operand::Role::kScratch ? call.operands.back().buffer : -1;
    struct Share {
      int buffer;
      int64_t distance;
    };
    std::vector<Share> shares;
    if (call.in_place) shares.push_back({dst, 0});
    const int64_t unit = std::lcm(int64_t{4}, call.progress_unit);
    if (!call.progress.empty())
      shares.push_back(
          {dst, (overlap_distance(call.progress, bytes_of(dst)) + unit - 1) / unit * unit});
    if (!call.scratch_progress.empty())
      shares.push_back(
          {scratch, aligned(overlap_distance(call.scratch_progress, bytes_of(scratch)))});
    bool alone = src >= 0 && uses[static_cast<size_t>(src)] == 1 &&
                 uses[static_cast<size_t>(dst)] == 1 && !placed(src) && !placed(dst);
    if (alone && !shares.empty()) {
      const Share& share = shares[static_cast<size_t>(turn++) % shares.size()];
      int64_t base = aligned(plan.arena_bytes);
      place(share.buffer, base);
      place(src, base + share.distance);
    }
    for (const Operand& operand : call.operands)
      if (operand.buffer >= 0 && !placed(operand.buffer))
        place(operand.buffer, aligned(plan.arena_bytes));
  }
  for (const auto* ports : {&program.inputs, &program.outputs})
    for (const ProgramPort& port : *ports)
      if (!placed(port.buffer)) place(port.buffer, aligned(plan.arena_bytes));
  return plan;
}

}  // namespace nibble
