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

std::vector<torch::Tensor> fisher_weights(const TwinRun& run, const Block& block,
                                          const std::vector<torch::Tensor>& targets,
                                          uint64_t seed) {
  torch::manual_seed(seed);
  const Graph& graph = run.integer();
  auto is_output = [&](ValueId id) {
    return std::ranges::find(block.outputs, id) != block.outputs.end();
  };
  const std::vector<ValueId> read = run.read_by(block.end, graph.nodes.size());
  // Where more than the block's outputs leads on, and is not known yet, no gradient is.
  if (std::ranges::any_of(read, [&](ValueId id) { return !is_output(id) && !run.is_live(id); }))
    return {};
  std::vector<std::vector<torch::Tensor>> magnitudes(targets.size());
  const int64_t samples = targets[0].size(0);
  for (int64_t begin = 0; begin < samples; begin += kBatch) {
    const int64_t count = std::min(kBatch, samples - begin);
    TwinRun::Live live;
    for (ValueId id : read)
      if (!is_output(id)) live[id] = run.at(id).real.narrow(0, begin, count);
    std::vector<torch::Tensor> parts;
    for (size_t k = 0; k < targets.size(); ++k) {
      parts.push_back(targets[k].narrow(0, begin, count).detach().clone().requires_grad_(true));
      live[block.outputs[k]] = parts[k];
    }
    live = run.run_real(block.end, graph.nodes.size(), std::move(live));
    torch::Tensor loss = torch::zeros({});
    for (const Port& port : graph.outputs)
      if (live.contains(port.value))
        loss = loss + negative_log(live.at(port.value), is_distribution(graph, port.value));
    if (!loss.requires_grad()) return {};
    loss.backward();
    for (size_t k = 0; k < targets.size(); ++k) {
      if (!parts[k].grad().defined()) return {};
      magnitudes[k].push_back(parts[k].grad().abs());
    }
  }
  std::vector<torch::Tensor> weights;
  double sum = 0, elements = 0;
  for (const auto& parts : magnitudes) {
    weights.push_back(torch::cat(parts, 0));
    sum += weights.back().sum().item<double>();
    elements += static_cast<double>(weights.back().numel());
  }
  if (!(sum > 0) || !std::isfinite(sum)) return {};
  for (torch::Tensor& fisher : weights) fisher = 0.5 + 0.5 * fisher * (elements / sum);
  return weights;
}

}  // namespace nibble
