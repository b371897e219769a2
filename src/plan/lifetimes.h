// When each buffer is live, which pairs may share bytes, and how many bytes no plan can do without.
// Inside plan/ only; the checker does not use it.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace nibble {

// At call `call`, its first source `src` dies and `dst`, its dst or its scratch, is born, so that
// they may share bytes: dst starts where src does (in_place), or at least `distance` bytes below
// it. Otherwise one lies wholly above the other; with distance = the bytes of dst that is all there
// is. Every call has at most one such pair for its dst and one for its scratch.
struct SharedPair {
  int src = -1, dst = -1, call = -1;
  bool in_place = false;
  int64_t distance = 0;
  int64_t unit = 1;  // where dst runs into src, it starts a multiple of this below
};

// Offsets are multiples of align_bytes.
inline int64_t align_up(int64_t value, int64_t align_bytes) {
  return (value + align_bytes - 1) / align_bytes * align_bytes;
}
bool takes_bytes(const Buffer& buffer, const Lifetime& life);

std::vector<Lifetime> find_lifetimes(const Program& program);
// Makes calls [first, end) of a program of `count` calls, which `part` holds, a program: what lives
// before them are its inputs, what lives after them its outputs.
struct CallRange {
  int first = 0, end = 0;
};
void add_ports(Program& part, const std::vector<Lifetime>& lifetimes, CallRange calls, int count);
// What a call may share if its first source dies at it and what it writes is born.
std::vector<SharedPair> possible_pairs(const Program& program, const KernelCall& call);
// In the order of calls.
std::vector<SharedPair> find_shared_pairs(const Program& program,
                                          const std::vector<Lifetime>& lifetimes);
// The least bytes from the lowest to the highest of one call's pairs (at least one), with offsets
// that are multiples of align_bytes. A pair that shares as many as it may takes max(src, dst) in
// place, else max(dst, distance + src); dst and scratch lie apart.
int64_t joint_bytes(const Program& program, std::span<const SharedPair> pairs, int64_t align_bytes);
// The largest sum of live bytes over all times from -1 to calls.size(); the pairs of a call count
// their joint bytes.
int64_t lower_bound(const Program& program, const std::vector<Lifetime>& lifetimes,
                    const std::vector<SharedPair>& pairs);

}  // namespace nibble
