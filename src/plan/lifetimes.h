// When each buffer is live, which pairs may share bytes, and how many bytes no plan can do without.
// Inside plan/ only; the checker does not use it.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace nibble {

// At call `call`, its first source `src` dies and `dst` is born, so that they may share bytes: dst
// starts where src does (in_place), or at least `distance` bytes below it. Otherwise one lies
// wholly above the other; with distance = the bytes of dst that is all there is. Every call has at
// most one such pair.
struct SharedPair {
  int src = -1, dst = -1, call = -1;
  bool in_place = false;
  int64_t distance = 0;
  int64_t unit = 1;  // where dst runs into src, it starts a multiple of this below
};

struct MemoryBound {
  int64_t bytes = 0;
  int call = -1;
};

// Offsets are multiples of align_bytes.
int64_t align_up(int64_t value, int64_t align_bytes);
bool takes_bytes(const Buffer& buffer, const Lifetime& life);

std::vector<Lifetime> find_lifetimes(const Program& program);
// What a call may share if its first source dies at it and its dst is born; src is -1 if nothing.
SharedPair possible_pair(const Program& program, const KernelCall& call);
// In the order of calls.
std::vector<SharedPair> find_shared_pairs(const Program& program,
                                          const std::vector<Lifetime>& lifetimes);
// Bytes from the lowest to the highest of a pair that shares as many as it may, with offsets that
// are multiples of align_bytes: max(src, dst) in place, else max(dst, distance + src).
int64_t joint_bytes(const Program& program, const SharedPair& pair, int64_t align_bytes);
// The largest sum of live bytes over all times from -1 to calls.size(); a pair counts its joint
// bytes.
MemoryBound lower_bound(const Program& program, const std::vector<Lifetime>& lifetimes,
                        const std::vector<SharedPair>& pairs);

}  // namespace nibble
