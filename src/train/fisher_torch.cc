#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "train/fisher.h"
#include "train/output_loss.h"

namespace nibble {
namespace {

constexpr int64_t kBatch = 64;

// -log p(y) of one output, y drawn from p, but for a constant.
torch::Tensor negative_log(const torch::Tensor& output, bool distribution) {
  if (!distribution) return (output * torch::randn_like(output)).sum();
  const torch::Tensor p = output.reshape({-1, output.size(output.dim() - 1)}).clamp_min(1e-9);
  return -torch::log(p.gather(1, torch::multinomial(p.detach(), 1))).sum();
}

}  // namespace

torch::Tensor fisher_weights(const TwinRun& run, const Block& block, const torch::Tensor& target,
                             uint64_t seed) {
  torch::manual_seed(seed);
  const Graph& graph = run.integer();
  const std::vector<ValueId> read = run.read_by(block.end, graph.nodes.size());
  // Where more than the block's output leads on, and is not known yet, no gradient is.
  if (std::ranges::any_of(read, [&](ValueId id) { return id != block.output && !run.is_live(id); }))
    return {};
  std::vector<torch::Tensor> magnitudes;
  for (int64_t begin = 0; begin < target.size(0); begin += kBatch) {
    const int64_t count = std::min(kBatch, target.size(0) - begin);
    const torch::Tensor part = target.narrow(0, begin, count).detach().clone().requires_grad_(true);
    TwinRun::Live live;
    for (ValueId id : read)
      if (id != block.output) live[id] = run.at(id).real.narrow(0, begin, count);
    live[block.output] = part;
    live = run.run_real(block.end, graph.nodes.size(), std::move(live));
    torch::Tensor loss = torch::zeros({});
    for (const Port& port : graph.outputs)
      if (live.contains(port.value))
        loss = loss + negative_log(live.at(port.value), is_distribution(graph, port.value));
    if (!loss.requires_grad()) return {};
    loss.backward();
    if (!part.grad().defined()) return {};
    magnitudes.push_back(part.grad().abs());
  }
  const torch::Tensor fisher = torch::cat(magnitudes, 0);
  const double mean = fisher.mean().item<double>();
  if (!(mean > 0) || !std::isfinite(mean)) return {};
  return 0.5 + 0.5 * fisher / mean;
}

}  // namespace nibble
