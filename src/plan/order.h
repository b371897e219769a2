// The order of calls whose lower bound of memory is least. Inside plan/ only.
#pragma once

#include <vector>

#include "plan/plan.h"

namespace nibble {

struct CallOrders {
  // Orders worth planning, as indices into Program::calls, the best first; the given order is among
  // them.
  std::vector<std::vector<int>> candidates;
  int64_t lower_bound_bytes = 0;  // of every order
  bool only_one = false;          // nothing may move
};

// A state of the search is the set of calls that are done; what is live then, and what a further
// call needs, follows from the set alone, however it was reached. So the best order is a path
// through such sets whose largest need is least (Dijkstra's algorithm with max for +). One call is
// enough to go on with where it needs no more than the path did already and leaves no more live
// than there was: any completion can do it first. The search gives up after `max_states` sets; then
// lower_bound_bytes is the least need of those still open.
CallOrders order_calls(const Program& program, int64_t max_states);

}  // namespace nibble
