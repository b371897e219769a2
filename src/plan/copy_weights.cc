// Which constants lie in RAM rather than in flash: those that the most cycles of waiting are spent
// on, per byte of RAM.
#include <algorithm>
#include <cmath>

#include "plan/plan.h"

namespace nibble {
namespace {

// A loaded weight serves a block of outputs: two to four pixels in most kernels, and every one of
// them at least one. So a byte is read about macs / bytes / kOutputsPerRead times.
constexpr double kOutputsPerRead = 4;
constexpr double kWordBytes = 4;
// Below this a copy is not worth the start-up's time and the reader's attention.
constexpr int64_t kLeastBytes = 64;
constexpr double kLeastShare = 0.001;

struct Candidate {
  size_t constant = 0;
  int64_t bytes = 0;
  double read_bytes = 0;  // in one inference
};

std::vector<size_t> constants_of(const KernelCall& call) {
  std::vector<size_t> indices;
  auto add = [&](const FieldValue& value) {
    if (const auto* constant = std::get_if<ConstantRef>(&value))
      indices.push_back(static_cast<size_t>(constant->index));
  };
  // With a function, the target never sees the fields.
  if (call.function >= 0) {
    for (const FieldValue& argument : call.arguments) add(argument);
  } else {
    for (const auto& [name, value] : call.fields) add(value);
  }
  for (const Operand& operand : call.operands)
    if (operand.constant >= 0) indices.push_back(static_cast<size_t>(operand.constant));
  return indices;
}

// How often one inference reads each byte of the call's constants.
double reads_of(const Program& program, const KernelCall& call) {
  double all_bytes = 0;
  for (size_t i : constants_of(call))
    all_bytes += static_cast<double>(program.constants[i].bytes.size());
  return all_bytes == 0
             ? 0
             : std::max(1.0, static_cast<double>(call.macs) / all_bytes / kOutputsPerRead);
}

std::vector<Candidate> candidates_of(const Program& program) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < program.constants.size(); ++i)
    candidates.push_back({i, static_cast<int64_t>(program.constants[i].bytes.size()), 0});
  for (const KernelCall* call : layer_calls(program)) {
    const double reads = reads_of(program, *call);
    for (size_t i : constants_of(*call))
      candidates[i].read_bytes += reads * static_cast<double>(candidates[i].bytes);
  }
  std::erase_if(candidates, [](const Candidate& candidate) {
    return candidate.bytes < kLeastBytes || candidate.read_bytes == 0;
  });
  return candidates;
}

}  // namespace

WeightReads weight_reads(const Program& program, const KernelCall& call) {
  WeightReads result;
  for (size_t i : constants_of(call))
    if (!program.constants[i].in_ram)
      result.bytes += static_cast<double>(program.constants[i].bytes.size());
  result.read_bytes = reads_of(program, call) * result.bytes;
  return result;
}

WeightCopies copy_weights(Program& program, double wait_cycles, int64_t budget_bytes) {
  std::vector<Candidate> candidates = candidates_of(program);
  auto density = [](const Candidate& candidate) {
    return candidate.read_bytes / static_cast<double>(candidate.bytes);
  };
  std::ranges::stable_sort(candidates, std::greater<>(), density);
  WeightCopies copies;
  std::vector<size_t> chosen;
  for (const Candidate& candidate : candidates) {
    // Each array starts at a multiple of its alignment.
    const int64_t bytes = (candidate.bytes + 7) / 8 * 8;
    if (copies.bytes + bytes > budget_bytes) continue;
    copies.bytes += bytes;
    copies.saved_cycles += wait_cycles * candidate.read_bytes / kWordBytes;
    chosen.push_back(candidate.constant);
  }
  double cycles = 0;
  for (const KernelCall& call : program.calls) cycles += static_cast<double>(call.cycles);
  if (copies.saved_cycles < kLeastShare * cycles) return {};
  for (size_t constant : chosen) program.constants[constant].in_ram = true;
  return copies;
}

}  // namespace nibble
