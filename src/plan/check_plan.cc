// The proof of a plan: executes the program on the owners of bytes instead of on the bytes. It
// knows nothing of lifetimes, blocks or bounds and shares no code with the planner.
#include <algorithm>

#include "plan/check_groups.h"
#include "plan/plan.h"

namespace nibble {
namespace {

// No microcontroller has this much; a plan from a file could ask for any amount.
constexpr int64_t kMaxArenaBytes = int64_t{1} << 30;
constexpr int kNobody = -1;

class Simulation {
 public:
  Simulation(const Program& program, const MemoryPlan& plan)
      : program_(program),
        plan_(plan),
        owner_(static_cast<size_t>(plan.arena_bytes), kNobody),
        written_(program.buffers.size(), false) {}

  Status run() {
    for (const ProgramPort& port : program_.inputs) NIBBLE_TRY(load(port));
    for (size_t t = 0; t < program_.calls.size(); ++t) {
      where_ = fmt::format("call {} (layer \"{}\")", t, program_.calls[t].layer);
      NIBBLE_TRY(step(program_.calls[t]));
    }
    where_ = "the end of the program";
    for (const ProgramPort& port : program_.outputs) NIBBLE_TRY(read(port.buffer));
    return {};
  }

 private:
  const Buffer& buffer(int index) const { return program_.buffers[static_cast<size_t>(index)]; }
  int64_t begin(int index) const { return plan_.offsets[static_cast<size_t>(index)]; }
  int64_t end(int index) const { return begin(index) + buffer(index).bytes; }

  Error clash(int wanted, int other, const std::string& what) const {
    return input_error(
        fmt::format("memory plan: at {}, {} \"{}\" (bytes {} to {}) {}{}; make the plan again",
                    where_, "buffer", buffer(wanted).name, begin(wanted), end(wanted), what,
                    other == kNobody ? std::string()
                                     : fmt::format(" \"{}\" (bytes {} to {})", buffer(other).name,
                                                   begin(other), end(other))));
  }

  // Two inputs are there at once, so the second must not destroy the first.
  Status load(const ProgramPort& port) {
    where_ = "the start of the program";
    if (written_[static_cast<size_t>(port.buffer)]) return {};
    for (int64_t i = begin(port.buffer); i < end(port.buffer); ++i)
      if (int other = owner_[static_cast<size_t>(i)]; other != kNobody)
        return clash(port.buffer, other, "overlaps the input");
    own(port.buffer);
    return {};
  }

  void own(int index) {
    if (buffer(index).bytes > 0)
      std::fill(owner_.begin() + begin(index), owner_.begin() + end(index), index);
    written_[static_cast<size_t>(index)] = true;
  }

  // Every byte of the buffer still belongs to it.
  Status read(int index) const {
    if (!written_[static_cast<size_t>(index)])
      return clash(index, kNobody, "is read, but nothing has written it");
    for (int64_t i = begin(index); i < end(index); ++i)
      if (int other = owner_[static_cast<size_t>(i)]; other != index)
        return clash(index, other, "is read, but has been overwritten by");
    return {};
  }

  bool apart(int a, int b) const {
    return buffer(a).bytes == 0 || buffer(b).bytes == 0 || end(a) <= begin(b) || end(b) <= begin(a);
  }

  // What the plan may do with the bytes of a call's first source and its dst or scratch.
  enum class Sharing { kNone, kSameStart, kSteps };

  static const std::vector<AccessStep>& moments(const KernelCall& call, const Operand& written) {
    return written.role == Operand::Role::kDst ? call.progress : call.scratch_progress;
  }

  // `written` and `other` are operands of the call whose buffers share bytes.
  Sharing sharing_of(const KernelCall& call, const Operand& written, const Operand& other) const {
    const Operand& first = call.operands.front();
    if (other.role != Operand::Role::kSrc || other.buffer != first.buffer ||
        written.offset_bytes != 0 || other.offset_bytes != 0)
      return Sharing::kNone;
    const bool is_dst = written.role == Operand::Role::kDst;
    if (is_dst && call.in_place && begin(written.buffer) == begin(other.buffer))
      return Sharing::kSameStart;
    // The moments of a call speak of one source.
    bool once = std::ranges::count(call.operands, first.buffer, &Operand::buffer) == 1;
    bool in_units =
        !is_dst || (begin(other.buffer) - begin(written.buffer)) % call.progress_unit == 0;
    return once && in_units && !moments(call, written).empty() ? Sharing::kSteps : Sharing::kNone;
  }

  // During one call, operands lie apart, but for sources among each other, and dst and the first
  // source where the call says how.
  Status operands_apart(const KernelCall& call) {
    for (size_t i = 0; i < call.operands.size(); ++i)
      for (size_t j = 0; j < call.operands.size(); ++j) {
        const Operand& written = call.operands[i];
        const Operand& other = call.operands[j];
        if (i == j || written.role == Operand::Role::kSrc || other.buffer < 0) continue;
        if (apart(written.buffer, other.buffer)) continue;
        switch (sharing_of(call, written, other)) {
          case Sharing::kSameStart:
            break;
          case Sharing::kSteps:
            NIBBLE_TRY(walk(moments(call, written), other.buffer, written.buffer));
            break;
          case Sharing::kNone:
            return clash(written.buffer, other.buffer, "is written while the same call uses");
        }
      }
    return {};
  }

  // Goes through the moments of a call: what is written until the next one, as early as it may be,
  // must leave alone all that may be read after the one before.
  Status walk(const std::vector<AccessStep>& progress, int src, int dst) const {
    int64_t written = 0, unread = 0;
    for (size_t k = 0; k <= progress.size(); ++k) {
      const int64_t end_bytes = buffer(dst).bytes;
      const int64_t until =
          k < progress.size() ? std::min(progress[k].written_bytes, end_bytes) : end_bytes;
      if (until < written)
        return clash(dst, kNobody, "is written by a call whose moments do not ascend");
      for (; written < until; ++written) {
        const int64_t place = begin(dst) + written;
        if (place >= begin(src) + unread && place < end(src))
          return clash(dst, src,
                       fmt::format("is written up to byte {} while the same call still "
                                   "reads, from byte {} on,",
                                   until, unread));
      }
      if (k == progress.size()) break;
      if (progress[k].unread_from_bytes < unread)
        return clash(src, kNobody, "is read by a call whose moments do not ascend");
      unread = progress[k].unread_from_bytes;
    }
    return {};
  }

  Status step(const KernelCall& call) {
    for (const Operand& operand : call.operands)
      if (operand.role == Operand::Role::kSrc && operand.buffer >= 0)
        NIBBLE_TRY(read(operand.buffer));
    NIBBLE_TRY(operands_apart(call));
    for (const Operand& operand : call.operands) {
      if (operand.role == Operand::Role::kSrc) continue;
      bool more_parts =
          operand.role == Operand::Role::kDst && written_[static_cast<size_t>(operand.buffer)];
      // A buffer written in parts (concat) must have kept the parts that are there.
      if (more_parts) NIBBLE_TRY(read(operand.buffer));
      own(operand.buffer);
    }
    return {};
  }

  const Program& program_;
  const MemoryPlan& plan_;
  std::vector<int> owner_;  // per byte of the arena: the buffer that wrote it last
  std::vector<bool> written_;
  std::string where_;
};

bool mentioned(const Program& program, int index) {
  auto is_port = [&](const ProgramPort& port) { return port.buffer == index; };
  auto uses = [&](const KernelCall& call) {
    return std::any_of(call.operands.begin(), call.operands.end(),
                       [&](const Operand& operand) { return operand.buffer == index; });
  };
  return std::any_of(program.inputs.begin(), program.inputs.end(), is_port) ||
         std::any_of(program.outputs.begin(), program.outputs.end(), is_port) ||
         std::any_of(program.calls.begin(), program.calls.end(), uses);
}

Status check_offsets(const Program& program, const MemoryPlan& plan) {
  if (plan.offsets.size() != program.buffers.size())
    return input_error(
        fmt::format("memory plan: {} offsets for {} buffers; the plan belongs to another program",
                    plan.offsets.size(), program.buffers.size()));
  if (plan.arena_bytes < 0 || plan.arena_bytes > kMaxArenaBytes)
    return input_error(fmt::format("memory plan: an arena of {} bytes; at most {} are allowed",
                                   plan.arena_bytes, kMaxArenaBytes));
  for (size_t i = 0; i < plan.offsets.size(); ++i) {
    const Buffer& buffer = program.buffers[i];
    const int64_t offset = plan.offsets[i];
    if (buffer.bytes == 0 || !mentioned(program, static_cast<int>(i))) continue;
    if (offset < 0 || offset > plan.arena_bytes - buffer.bytes)
      return input_error(fmt::format(
          "memory plan: buffer \"{}\" (offset {}, {} bytes) leaves the arena of {} bytes",
          buffer.name, offset, buffer.bytes, plan.arena_bytes));
    if (offset % buffer.align_bytes != 0)
      return input_error(
          fmt::format("memory plan: offset {} of buffer \"{}\" is not a multiple of {}", offset,
                      buffer.name, buffer.align_bytes));
  }
  return {};
}

}  // namespace

Status check_plan(const Program& program, const MemoryPlan& plan) {
  NIBBLE_TRY(check_offsets(program, plan));
  NIBBLE_TRY(check_groups(program));
  return Simulation(program, plan).run();
}

}  // namespace nibble
