// Lifetimes, pairs that share bytes and the lower bound of a program: the facts that every
// placement starts from.
#include "plan/lifetimes.h"

#include <algorithm>
#include <limits>

namespace nibble {

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

void add_ports(Program& part, const std::vector<Lifetime>& lifetimes, CallRange calls, int count) {
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    const Lifetime& life = lifetimes[i];
    ProgramPort port;
    port.buffer = static_cast<int>(i);
    if (life.first_call < calls.first && (calls.first == 0 || life.last_call >= calls.first))
      part.inputs.push_back(port);
    if (life.last_call >= calls.end && (calls.end == count || life.first_call < calls.end))
      part.outputs.push_back(port);
  }
}

std::vector<SharedPair> possible_pairs(const Program& program, const KernelCall& call) {
  if (call.operands.empty()) return {};
  const Operand& src = call.operands.front();
  if (src.role != Operand::Role::kSrc || src.buffer < 0 || src.offset_bytes != 0) return {};
  auto bytes_of = [&](int buffer) { return program.buffers[static_cast<size_t>(buffer)].bytes; };
  // The moments say nothing of a second operand that reads the same bytes.
  const bool once = std::ranges::count(call.operands, src.buffer, &Operand::buffer) == 1;
  std::vector<SharedPair> pairs;
  for (const Operand& written : call.operands) {
    if (written.role == Operand::Role::kSrc || written.offset_bytes != 0) continue;
    if (written.buffer == src.buffer || bytes_of(src.buffer) == 0) continue;
    const int64_t bytes = bytes_of(written.buffer);
    const bool is_dst = written.role == Operand::Role::kDst;
    SharedPair pair{src.buffer, written.buffer, -1, is_dst && call.in_place, bytes};
    if (once)
      pair.distance = overlap_distance(is_dst ? call.progress : call.scratch_progress, bytes);
    if (is_dst && pair.distance < bytes) pair.unit = call.progress_unit;
    if (bytes > 0 && (pair.in_place || pair.distance < bytes)) pairs.push_back(pair);
  }
  return pairs;
}

std::vector<SharedPair> find_shared_pairs(const Program& program,
                                          const std::vector<Lifetime>& lifetimes) {
  std::vector<SharedPair> pairs;
  for (int time = 0; time < static_cast<int>(program.calls.size()); ++time)
    for (SharedPair pair : possible_pairs(program, program.calls[static_cast<size_t>(time)])) {
      if (lifetimes[static_cast<size_t>(pair.src)].last_call != time ||
          lifetimes[static_cast<size_t>(pair.dst)].first_call != time)
        continue;
      pair.call = time;
      pairs.push_back(pair);
    }
  return pairs;
}

int64_t joint_bytes(const Program& program, std::span<const SharedPair> pairs,
                    int64_t align_bytes) {
  auto bytes_of = [&](int buffer) { return program.buffers[static_cast<size_t>(buffer)].bytes; };
  int64_t joint = 0;
  for (const SharedPair& pair : pairs) {
    const int64_t src = bytes_of(pair.src), dst = bytes_of(pair.dst);
    const int64_t above = pair.in_place ? 0 : align_up(pair.distance, align_bytes);
    joint = std::max({joint, dst, above + src});
  }
  if (pairs.size() < 2) return joint;
  const int64_t a = bytes_of(pairs[0].dst), b = bytes_of(pairs[1].dst);
  return std::max(joint, std::min(align_up(a, align_bytes) + b, a + align_up(b, align_bytes)));
}

int64_t lower_bound(const Program& program, const std::vector<Lifetime>& lifetimes,
                    const std::vector<SharedPair>& pairs) {
  // Offsets are multiples of the smallest alignment, so every live buffer but the topmost fills
  // whole multiples.
  int64_t align = std::numeric_limits<int64_t>::max();
  for (const Buffer& buffer : program.buffers) align = std::min(align, buffer.align_bytes);
  std::vector<std::vector<int64_t>> sizes(program.calls.size() + 2);  // index 0 is time -1
  std::vector<std::vector<SharedPair>> at(program.calls.size() + 2);
  for (const SharedPair& pair : pairs) at[static_cast<size_t>(pair.call + 1)].push_back(pair);
  for (size_t t = 0; t < at.size(); ++t)
    if (!at[t].empty()) sizes[t].push_back(joint_bytes(program, at[t], align));
  for (size_t i = 0; i < program.buffers.size(); ++i)
    for (int t = lifetimes[i].first_call; t <= lifetimes[i].last_call; ++t) {
      bool paired = std::ranges::any_of(at[static_cast<size_t>(t + 1)], [&](const auto& pair) {
        return pair.src == static_cast<int>(i) || pair.dst == static_cast<int>(i);
      });
      if (program.buffers[i].bytes > 0 && !paired)
        sizes[static_cast<size_t>(t + 1)].push_back(program.buffers[i].bytes);
    }
  int64_t bound = 0;
  for (size_t t = 0; t < sizes.size(); ++t) {
    int64_t sum = 0, slack = 0;
    for (int64_t size : sizes[t]) {
      sum += align_up(size, align);
      slack = std::max(slack, align_up(size, align) - size);
    }
    bound = std::max(bound, sum - slack);
  }
  return bound;
}

}  // namespace nibble
