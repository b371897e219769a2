// Lifetimes, pairs that share bytes and the lower bound of a program: the facts that every
// placement starts from.
#include "plan/lifetimes.h"

#include <algorithm>
#include <limits>

namespace nibble {

int64_t align_up(int64_t value, int64_t align_bytes) {
  return (value + align_bytes - 1) / align_bytes * align_bytes;
}

bool takes_bytes(const Buffer& buffer, const Lifetime& life) {
  return buffer.bytes > 0 && life.first_call <= life.last_call;
}

std::vector<Lifetime> find_lifetimes(const Program& program) {
  const int end = static_cast<int>(program.calls.size());
  std::vector<Lifetime> lifetimes(program.buffers.size(), {std::numeric_limits<int>::max(), -2});
  auto use = [&](int buffer, int time) {
    if (buffer < 0) return;  // a constant
    Lifetime& life = lifetimes.at(static_cast<size_t>(buffer));
    life.first_call = std::min(life.first_call, time);
    life.last_call = std::max(life.last_call, time);
  };
  for (const ProgramPort& port : program.inputs) use(port.buffer, -1);
  for (int t = 0; t < end; ++t)
    for (const Operand& operand : program.calls[static_cast<size_t>(t)].operands)
      use(operand.buffer, t);
  for (const ProgramPort& port : program.outputs) use(port.buffer, end);
  for (Lifetime& life : lifetimes)
    if (life.first_call > life.last_call) life = {0, -1};
  return lifetimes;
}

SharedPair possible_pair(const Program& program, const KernelCall& call) {
  if (call.operands.empty()) return {};
  const Operand& src = call.operands.front();
  auto dst = std::ranges::find(call.operands, Operand::Role::kDst, &Operand::role);
  if (src.role != Operand::Role::kSrc || src.buffer < 0 || dst == call.operands.end()) return {};
  if (src.offset_bytes != 0 || dst->offset_bytes != 0 || src.buffer == dst->buffer) return {};
  int64_t src_bytes = program.buffers[static_cast<size_t>(src.buffer)].bytes;
  int64_t dst_bytes = program.buffers[static_cast<size_t>(dst->buffer)].bytes;
  if (src_bytes == 0 || dst_bytes == 0) return {};
  SharedPair pair{src.buffer, dst->buffer, -1, call.in_place, dst_bytes};
  // The moments say nothing of a second operand that reads the same bytes.
  if (std::ranges::count(call.operands, src.buffer, &Operand::buffer) == 1)
    pair.distance = overlap_distance(call.progress, dst_bytes);
  if (pair.distance < dst_bytes) pair.unit = call.progress_unit;
  return pair.in_place || pair.distance < dst_bytes ? pair : SharedPair();
}

std::vector<SharedPair> find_shared_pairs(const Program& program,
                                          const std::vector<Lifetime>& lifetimes) {
  std::vector<SharedPair> pairs;
  for (int time = 0; time < static_cast<int>(program.calls.size()); ++time) {
    SharedPair pair = possible_pair(program, program.calls[static_cast<size_t>(time)]);
    if (pair.src < 0 || lifetimes[static_cast<size_t>(pair.src)].last_call != time ||
        lifetimes[static_cast<size_t>(pair.dst)].first_call != time)
      continue;
    pair.call = time;
    pairs.push_back(pair);
  }
  return pairs;
}

int64_t joint_bytes(const Program& program, const SharedPair& pair, int64_t align_bytes) {
  int64_t src = program.buffers[static_cast<size_t>(pair.src)].bytes;
  int64_t dst = program.buffers[static_cast<size_t>(pair.dst)].bytes;
  if (pair.in_place) return std::max(src, dst);
  return std::max(dst, align_up(pair.distance, align_bytes) + src);
}

MemoryBound lower_bound(const Program& program, const std::vector<Lifetime>& lifetimes,
                        const std::vector<SharedPair>& pairs) {
  // Offsets are multiples of the smallest alignment, so every live buffer but the topmost fills
  // whole multiples.
  int64_t align = std::numeric_limits<int64_t>::max();
  for (const Buffer& buffer : program.buffers) align = std::min(align, buffer.align_bytes);
  std::vector<std::vector<int64_t>> sizes(program.calls.size() + 2);  // index 0 is time -1
  std::vector<const SharedPair*> at(program.calls.size() + 2, nullptr);
  for (const SharedPair& pair : pairs) {
    at[static_cast<size_t>(pair.call + 1)] = &pair;
    sizes[static_cast<size_t>(pair.call + 1)].push_back(joint_bytes(program, pair, align));
  }
  for (size_t i = 0; i < program.buffers.size(); ++i)
    for (int t = lifetimes[i].first_call; t <= lifetimes[i].last_call; ++t) {
      const SharedPair* pair = at[static_cast<size_t>(t + 1)];
      bool paired = pair && (pair->src == static_cast<int>(i) || pair->dst == static_cast<int>(i));
      if (program.buffers[i].bytes > 0 && !paired)
        sizes[static_cast<size_t>(t + 1)].push_back(program.buffers[i].bytes);
    }
  MemoryBound bound;
  for (size_t t = 0; t < sizes.size(); ++t) {
    int64_t sum = 0, slack = 0;
    for (int64_t size : sizes[t]) {
      sum += align_up(size, align);
      slack = std::max(slack, align_up(size, align) - size);
    }
    if (sum - slack > bound.bytes) bound = {sum - slack, static_cast<int>(t) - 1};
  }
  return bound;
}

}  // namespace nibble
