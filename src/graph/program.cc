// How far the dst of a call may run into its source; the layers of a program.
#include "graph/program.h"

#include <algorithm>

namespace nibble {

int64_t overlap_distance(std::span<const AccessStep> progress, int64_t dst_bytes) {
  int64_t distance = 0, unread = 0;
  for (const AccessStep& step : progress) {
    distance = std::max(distance, std::min(step.written_bytes, dst_bytes) - unread);
    unread = step.unread_from_bytes;
  }
  return std::min(dst_bytes, std::max(distance, dst_bytes - unread));
}

std::vector<AccessStep> thin_out(std::span<const AccessStep> progress, int64_t dst_bytes,
                                 int64_t slack_bytes) {
  const int64_t distance = overlap_distance(progress, dst_bytes) + slack_bytes;
  std::vector<AccessStep> kept;
  if (distance >= dst_bytes) return kept;
  // A moment is needed where the next one comes too late after the last that is kept.
  int64_t unread = 0;
  for (size_t i = 0; i < progress.size(); ++i) {
    int64_t next =
        i + 1 < progress.size() ? std::min(progress[i + 1].written_bytes, dst_bytes) : dst_bytes;
    if (next - unread <= distance) continue;
    kept.push_back(progress[i]);
    unread = progress[i].unread_from_bytes;
  }
  return kept;
}

const BandWindow* find_window(const KernelCall& group, int buffer) {
  auto found = std::ranges::find(group.windows, buffer, &BandWindow::buffer);
  return found == group.windows.end() ? nullptr : &*found;
}

std::vector<const KernelCall*> layer_calls(const Program& program) {
  std::vector<const KernelCall*> layers;
  for (const KernelCall& call : program.calls) {
    if (call.members.empty()) layers.push_back(&call);
    for (const KernelCall& member : call.members) layers.push_back(&member);
  }
  return layers;
}

std::vector<int> constants_of(const KernelCall& call) {
  std::vector<int> indices;
  auto add = [&](const FieldValue& value) {
    if (const auto* ref = std::get_if<ConstantRef>(&value)) indices.push_back(ref->index);
  };
  if (call.function >= 0) {
    for (const FieldValue& argument : call.arguments) add(argument);
  } else {
    for (const auto& [name, value] : call.fields) add(value);
  }
  for (const Operand& operand : call.operands)
    if (operand.constant >= 0) indices.push_back(operand.constant);
  return indices;
}

}  // namespace nibble
