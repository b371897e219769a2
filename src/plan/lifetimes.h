// When each buffer is live, which pairs may share their address, and how many bytes no plan can do
// without. Inside plan/ only; the checker does not use it.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace nibble {

// At call `call`, `src` dies and `dst` is born, and the kernel may write dst where it reads src.
struct InPlacePair {
  int src = -1, dst = -1, call = -1;
};

struct MemoryBound {
  int64_t bytes = 0;
  int call = -1;
};

// Offsets are multiples of align_bytes.
int64_t align_up(int64_t value, int64_t align_bytes);
bool takes_bytes(const Buffer& buffer, const Lifetime& life);

std::vector<Lifetime> find_lifetimes(const Program& program);
std::vector<InPlacePair> find_in_place_pairs(const Program& program,
                                             const std::vector<Lifetime>& lifetimes);
// The largest sum of live bytes over all times from -1 to calls.size(); an in-place pair counts
// once.
MemoryBound lower_bound(const Program& program, const std::vector<Lifetime>& lifetimes,
                        const std::vector<InPlacePair>& pairs);
// Bytes live at each time, index 0 being time -1; an in-place pair counts once.
std::vector<int64_t> live_bytes(const Program& program, const std::vector<Lifetime>& lifetimes,
                                const std::vector<InPlacePair>& pairs);

}  // namespace nibble
