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

// How often a call reads a byte of its constants.
double reads_of(const KernelCall& call, double constant_bytes) {
  return std::max(1.0, static_cast<double>(call.macs) / constant_bytes / kOutputsPerRead);
}

double bytes_of(const Program& program, const std::vector<int>& constants) {
  double bytes = 0;
  for (const int i : constants)
    bytes += static_cast<double>(program.constants[static_cast<size_t>(i)].bytes.size());
  return bytes;
}

std::vector<Candidate> candidates_of(const Program& program) {
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < program.constants.size(); ++i)
    candidates.push_back({i, static_cast<int64_t>(program.constants[i].bytes.size()), 0});
  for (const KernelCall* call : layer_calls(program)) {
    const std::vector<int> indices = constants_of(*call);
    const double all_bytes = bytes_of(program, indices);
    if (all_bytes == 0) continue;
    for (const int index : indices) {
      Candidate& candidate = candidates[static_cast<size_t>(index)];
      candidate.read_bytes += reads_of(*call, all_bytes) * static_cast<double>(candidate.bytes);
    }
  }
  std::erase_if(candidates, [](const Candidate& candidate) {
    return candidate.bytes < kLeastBytes || candidate.read_bytes == 0;
  });
  return candidates;
}

}  // namespace

double flash_read_bytes(const Program& program, const KernelCall& call, int64_t cache_bytes) {
  std::vector<int> constants = constants_of(call);
  std::erase_if(constants, [&](int i) { return program.constants[static_cast<size_t>(i)].in_ram; });
  const double once = bytes_of(program, constants);
  return once <= static_cast<double>(cache_bytes) ? once : once * reads_of(call, once);
}

double flash_read_bytes(const Program& program, int64_t cache_bytes) {
  double bytes = 0;
  for (const KernelCall* call : layer_calls(program))
    bytes += flash_read_bytes(program, *call, cache_bytes);
  return bytes;
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
  if (copies.saved_cycles < kLeastShare * static_cast<double>(program_cycles(program))) return {};
  for (size_t constant : chosen) program.constants[constant].in_ram = true;
  return copies;
}

}  // namespace nibble
