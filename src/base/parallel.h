// Data parallelism over an index range, on as many threads as the machine has cores.
#pragma once

#include <cstdint>
#include <functional>

namespace nibble {

int parallel_workers();

// Calls body(begin, end, worker) on disjoint blocks that cover [0, count), worker in
// [0, parallel_workers()). Blocks are fixed by count alone, so a reduction by block is
// deterministic. Calls nested in a loop of several blocks run serially. body must not throw.
void parallel_for(int64_t count,
                  const std::function<void(int64_t begin, int64_t end, int worker)>& body);

}  // namespace nibble
