// Lifetimes, in-place pairs and the lower bound of a program: the facts that every placement starts
// from.
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

std::vector<InPlacePair> find_in_place_pairs(const Program& program,
                                             const std::vector<Lifetime>& lifetimes) {
  std::vector<InPlacePair> pairs;
  for (size_t t = 0; t < program.calls.size(); ++t) {
    const KernelCall& call = program.calls[t];
    if (!call.in_place || call.operands.empty()) continue;
    const Operand& src = call.operands.front();
    auto dst = std::find_if(call.operands.begin(), call.operands.end(), [](const Operand& operand) {
      return operand.role == Operand::Role::kDst;
    });
    if (src.role != Operand::Role::kSrc || src.buffer < 0 || dst == call.operands.end()) continue;
    if (src.offset_bytes != 0 || dst->offset_bytes != 0 || src.buffer == dst->buffer) continue;
    int time = static_cast<int>(t);
    if (lifetimes[static_cast<size_t>(src.buffer)].last_call != time ||
        lifetimes[static_cast<size_t>(dst->buffer)].first_call != time)
      continue;
    if (program.buffers[static_cast<size_t>(src.buffer)].bytes == 0 ||
        program.buffers[static_cast<size_t>(dst->buffer)].bytes == 0)
      continue;
    pairs.push_back({src.buffer, dst->buffer, time});
  }
  return pairs;
}

namespace {

// Sizes of what is live at each time, index 0 being time -1; the smaller of an in-place pair left
// out.
std::vector<std::vector<int64_t>> live_sizes(const Program& program,
                                             const std::vector<Lifetime>& lifetimes,
                                             const std::vector<InPlacePair>& pairs) {
  std::vector<std::vector<int64_t>> sizes(program.calls.size() + 2);
  for (size_t i = 0; i < program.buffers.size(); ++i)
    for (int t = lifetimes[i].first_call; t <= lifetimes[i].last_call; ++t)
      if (program.buffers[i].bytes > 0)
        sizes[static_cast<size_t>(t + 1)].push_back(program.buffers[i].bytes);
  for (const InPlacePair& pair : pairs) {
    std::vector<int64_t>& at = sizes[static_cast<size_t>(pair.call + 1)];
    int64_t smaller = std::min(program.buffers[static_cast<size_t>(pair.src)].bytes,
                               program.buffers[static_cast<size_t>(pair.dst)].bytes);
    at.erase(std::find(at.begin(), at.end(), smaller));
  }
  return sizes;
}

}  // namespace

std::vector<int64_t> live_bytes(const Program& program, const std::vector<Lifetime>& lifetimes,
                                const std::vector<InPlacePair>& pairs) {
  std::vector<int64_t> sums;
  for (const std::vector<int64_t>& sizes : live_sizes(program, lifetimes, pairs)) {
    int64_t sum = 0;
    for (int64_t size : sizes) sum += size;
    sums.push_back(sum);
  }
  return sums;
}

MemoryBound lower_bound(const Program& program, const std::vector<Lifetime>& lifetimes,
                        const std::vector<InPlacePair>& pairs) {
  // Offsets are multiples of the smallest alignment, so every live buffer but the topmost fills
  // whole multiples.
  int64_t align = std::numeric_limits<int64_t>::max();
  for (const Buffer& buffer : program.buffers) align = std::min(align, buffer.align_bytes);
  MemoryBound bound;
  std::vector<std::vector<int64_t>> sizes = live_sizes(program, lifetimes, pairs);
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
