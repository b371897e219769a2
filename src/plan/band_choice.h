// Which calls may run band by band, and for a limit of bytes the groups of them that cost the least
// time: dynamic programming over the list of calls. Inside plan/ only.
//
// What a group needs by itself is known beforehand. What follows from the places of other buffers,
// because a dst that runs over its source moves down, and so does the next, is a matter of several
// segments that follow each other, a run. A run of which it is known what it needs is left out of
// every choice for less: the automaton of Aho and Corasick (1975) over the chosen segments says
// where one ends.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "plan/bands.h"
#include "plan/lifetimes.h"
#include "plan/plan.h"

namespace nibble {

// Calls that may be one group.
constexpr size_t kMaxMembers = 12;

// Calls [first, end) as one call, or a single call as it is (height 0).
struct Segment {
  size_t first = 0, end = 0;
  int32_t height = 0;
  int64_t need_bytes = 0;
  double extra_cycles = 0;
};

// Segments, as indices, that are all of the program, in order.
struct BandChoice {
  std::vector<size_t> segments;
  double extra_cycles = 0;
};

class BandSearch {
 public:
  explicit BandSearch(const Program& program);

  // Adds the groups with a call that needs more than `floor_bytes` alone; the others do not make
  // the arena smaller.
  void add_groups(int64_t floor_bytes);

  // The segments of least cost of which no segment, and no known run, needs more than the limit.
  // Nothing if there are none.
  std::optional<BandChoice> choose(int64_t limit_bytes) const;
  // The smallest limit for which there are some.
  std::optional<int64_t> least_limit() const;

  // These segments, one behind the other, need as many bytes.
  void add_run(std::span<const size_t> segments, int64_t need_bytes);

  // The calls of these segments, one behind the other, and what is live before and after them.
  // Without constants; a plan of the program has room for it.
  Program part(std::span<const size_t> segments);
  // All of `program`, the one that the search was made for, with the groups of the choice.
  Program apply(const Program& program, const BandChoice& choice) const;

 private:
  // A node stands for the segments from the root to it; `need_bytes` is that of the longest known
  // run that ends here, whatever came before.
  struct Node {
    std::map<size_t, size_t> next;
    size_t fail = 0;
    int64_t own_bytes = 0, need_bytes = 0;
  };
  struct Label {
    double extra_cycles = 0;
    size_t node = 0, segment = 0, from = 0;  // from: index of a label at the segment's first call
  };

  struct MadeGroup {
    KernelCall call;
    std::vector<Buffer> buffers;  // that follow those of the program
  };

  void add_segment(const Segment& segment);
  void add_single(size_t index);
  void add_group(const BandGroup& group);
  void link_nodes();
  const MadeGroup& made(size_t segment);
  size_t step(size_t node, size_t segment) const;
  bool improves(const std::vector<Label>& labels, const Label& found) const;
  int64_t bytes(int buffer) const { return program_.buffers[static_cast<size_t>(buffer)].bytes; }
  const Lifetime& life(int buffer) const { return lifetimes_[static_cast<size_t>(buffer)]; }
  int64_t live(size_t first, size_t end, const std::set<int>& operands) const;
  int64_t shared(size_t first, size_t end, std::vector<SharedPair> pairs) const;

  Program program_;  // without constants
  const std::vector<Lifetime> lifetimes_;
  std::vector<Segment> segments_;
  std::vector<std::vector<size_t>> starting_;  // per call: the segments that begin with it
  std::vector<int64_t> alone_bytes_;           // per call
  int64_t floor_bytes_;                        // groups above it are there
  std::vector<Node> nodes_;
  std::map<size_t, MadeGroup> made_;
};

}  // namespace nibble
