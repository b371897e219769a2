// Groups of calls that run band by band: which calls can, and the rows that each computes when. Of
// the results between them only a window of rows exists at one time. No row is computed twice: what
// the next band needs of this one is kept. Inside plan/ only.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace nibble {

// How the rows of a call's dst follow from rows of what it reads.
struct RowRule {
  bool is_image = false;  // else element by element: row r from row r
  int32_t in_h = 0, out_h = 0, k_h = 1, stride_h = 1, dilation_h = 1, pad_top = 0;

  // Rows [first, end) of dst, first < end, read [src_first(first), src_end(end)) of the source,
  // which may be empty: windows of nothing but padding.
  int32_t src_first(int32_t first_row) const;
  int32_t src_end(int32_t end_row) const;
};

// Nothing where the call cannot compute some of its rows apart from the others: it is no kernel on
// images or elements, has batches, or its function takes no rows. An element-wise call does not say
// how many rows it has: in_h and out_h are 0.
std::optional<RowRule> row_rule(const Program& program, const KernelCall& call);

// A group cut into bands.
struct BandCut {
  std::vector<Band> bands;
  std::vector<int64_t> window_bytes;  // per window
  std::vector<AccessStep> progress;   // of the group, over its first source
  bool in_place = false;
  int64_t moved_bytes = 0;  // in windows, over all bands
};

// Calls [first_call, end_call) of a program as a group.
class BandGroup {
 public:
  // Nothing where these calls cannot be one: each but the last has its only readers among those
  // behind it, all have rows, and all agree on the rows of what they share.
  static std::optional<BandGroup> of(const Program& program, size_t first_call, size_t end_call);

  int32_t rows() const { return rules_.back().out_h; }  // of the last dst
  // Bands of `height` rows of the last dst.
  BandCut cut(int32_t height) const;
  size_t first_call() const { return first_call_; }
  size_t end_call() const { return first_call_ + rules_.size(); }
  const std::vector<BandWindow>& windows() const { return windows_; }  // `window` not yet known
  const std::vector<int>& sources() const { return sources_; }         // buffers from outside
  int dst() const { return dst_.back(); }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  // The group as one call of the program, which gets the buffers for windows and scratch. The calls
  // that it is made of stay where they are.
  KernelCall make(Program& program, const BandCut& cut) const;

 private:
  BandGroup() = default;
  bool find_buffers(const Program& program);
  bool find_rows(const Program& program);
  void find_sources(const Program& program);
  std::vector<Band> cut_rows(int32_t height) const;
  void fill_progress(BandCut& cut) const;

  size_t first_call_ = 0;
  std::vector<RowRule> rules_;           // per member, rows of element-wise ones filled in
  std::vector<std::vector<int>> reads_;  // per member: buffers, in the order of its operands
  std::vector<int> dst_;                 // per member
  std::vector<bool> in_place_;           // per member
  std::vector<int> sources_;
  std::vector<BandWindow> windows_;                // in the order of the members that write them
  int64_t src_row_bytes_ = 0, dst_row_bytes_ = 0;  // of the first source, of the last dst
  int64_t scratch_bytes_ = 0;
};

// Puts groups in the place of the calls that they are made of. Ascending, apart from each other.
struct ChosenGroup {
  BandGroup group;
  int32_t height = 0;
};
Program with_groups(const Program& program, const std::vector<ChosenGroup>& groups);

}  // namespace nibble
