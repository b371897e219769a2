// Inputs made of nothing but statistics: noise is moved until the values inside the network have
// the means and deviations that batch norms remember; train.h names the papers.
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/text.h"
#include "train/torch_module.h"
#include "train/torch_nodes.h"

namespace nibble {
namespace {

constexpr double kRate = 0.1;  // of the optimizer, in deviations of the noise it starts from
constexpr double kLeastDeviation = 0.01;  // that counts, of the layer's mean one
constexpr int64_t kTrialBatch = 16;

// The means and deviations wanted of one value.
struct Wanted {
  torch::Tensor mean, deviation, unit;
};

class Synthesis {
 public:
  Synthesis(const Graph& graph, std::span<const WantedStatistics> wanted)
      : graph_(graph), bare_(graph) {
    for (Node& node : bare_.nodes)
      if (Bounds* act = activation_of(node.op)) *act = {};
    std::map<std::string, const WantedStatistics*> by_name;
    for (const WantedStatistics& one : wanted) by_name[one.value] = &one;
    auto add = [&](ValueId id) {
      const auto found = by_name.find(graph.value(id).name);
      if (found == by_name.end()) return false;
      Wanted& target = wanted_[id];
      target.mean = torch::tensor(found->second->mean, torch::kFloat32);
      target.deviation = torch::tensor(found->second->deviation, torch::kFloat32);
      const torch::Tensor least = kLeastDeviation * target.deviation.square().mean().sqrt();
      target.unit = torch::maximum(target.deviation, least).clamp_min(1e-12);
      return true;
    };
    add(graph.inputs[0].value);
    for (size_t i = 0; i < graph.nodes.size(); ++i)
      if (add(graph.nodes[i].outputs[0])) end_ = i + 1;
    for (size_t v = 0; v < graph.values.size(); ++v)
      if (graph.values[v].constant && graph.values[v].type.dtype == DType::kF32)
        constants_[static_cast<ValueId>(v)] = to_torch(*graph.values[v].constant);
  }

  bool empty() const { return wanted_.empty(); }

  // Sum over the values of the mean over their channels of
  //   ((mean~ - mean) / deviation)^2 + ((deviation~ - deviation) / deviation)^2.
  torch::Tensor loss(const torch::Tensor& x) const {
    std::map<ValueId, torch::Tensor> live = {{graph_.inputs[0].value, x}};
    torch::Tensor sum = torch::zeros({});
    add_loss(graph_.inputs[0].value, x, sum);
    for (size_t i = 0; i < end_; ++i) {
      const Node& node = graph_.nodes[i];
      std::vector<torch::Tensor> operands;
      for (ValueId id : node.inputs)
        operands.push_back(id == kNoValue            ? torch::Tensor()
                           : constants_.contains(id) ? constants_.at(id)
                                                     : live.at(id));
      const ValueId dst = node.outputs[0];
      torch::Tensor result = torch_node(graph_, bare_.nodes[i], operands);
      add_loss(dst, result, sum);
      if (const Bounds* act = activation_of(node.op); act && !act->none())
        result = torch_node(graph_, Node{node.name, Clamp{*act}, {dst}, {dst}}, {result});
      live[dst] = result;
    }
    return sum;
  }

 private:
  void add_loss(ValueId id, const torch::Tensor& x, torch::Tensor& sum) const {
    const auto found = wanted_.find(id);
    if (found == wanted_.end()) return;
    const auto& [mean, deviation, unit] = found->second;
    const torch::Tensor flat = x.reshape({-1, x.size(x.dim() - 1)});
    const torch::Tensor own_mean = flat.mean(0);
    const torch::Tensor own_deviation = ((flat - own_mean).square().mean(0) + 1e-12).sqrt();
    sum =
        sum + (((own_mean - mean) / unit).square() + ((own_deviation - deviation) / unit).square())
                  .mean();
  }

  const Graph& graph_;
  Graph bare_;  // the same without activations
  std::map<ValueId, torch::Tensor> constants_;
  std::map<ValueId, Wanted> wanted_;
  size_t end_ = 0;  // of the nodes that lead to a wanted value
};

// Where the noise begins: a network may want its inputs within one or within 255, and neighbours
// that agree or not.
struct Start {
  double mean = 0, deviation = 1;
  bool smooth = false;
};

// Noise of deviation one. `smooth`, of images: as much of it in patches of 2x2, 4x4, ... pixels and
// in the image as a whole as in single pixels, which is how natural images vary.
torch::Tensor noise_of(const std::vector<int64_t>& shape, bool smooth) {
  torch::Tensor noise = torch::randn(shape);
  if (!smooth || shape.size() != 4) return noise;
  const int64_t rows = shape[1], columns = shape[2];
  double parts = 1;
  for (int64_t patch = 2; patch < 2 * std::max(rows, columns); patch *= 2, ++parts) {
    const torch::Tensor coarse = torch::randn(
        {shape[0], (rows + patch - 1) / patch, (columns + patch - 1) / patch, shape[3]});
    noise = noise + coarse.repeat_interleave(patch, 1)
                        .narrow(1, 0, rows)
                        .repeat_interleave(patch, 2)
                        .narrow(2, 0, columns);
  }
  return noise / std::sqrt(parts);
}

Start best_start(const Synthesis& synthesis, const std::vector<int64_t>& shape) {
  const torch::NoGradGuard no_gradients;
  std::vector<int64_t> few = shape;
  few[0] = kTrialBatch;
  Start best;
  double least = INFINITY;
  for (bool smooth : {false, true}) {
    const torch::Tensor noise = noise_of(few, smooth);
    for (int exponent = -8; exponent <= 10; ++exponent)
      for (double middle : {0.0, 1.0, -1.0, 2.0, -2.0}) {
        const double deviation = std::exp2(exponent);
        const double loss = synthesis.loss((noise + middle) * deviation).item<double>();
        if (!(loss < least)) continue;
        least = loss;
        best = {middle * deviation, deviation, smooth};
      }
  }
  if (!std::isfinite(least))
    throw LearningError(
        "no noise of any scale gives finite values inside the network; check the model with "
        "`nibble inspect`");
  return best;
}

}  // namespace

Result<std::vector<Tensor>> synthesize_in_torch(const Graph& real,
                                                std::span<const WantedStatistics> wanted,
                                                const SynthesizeOptions& options,
                                                const StepProgress& progress) {
  NIBBLE_TRY(check_batchable(real));
  const Synthesis synthesis(real, wanted);
  NIBBLE_CHECK(!synthesis.empty(), "nothing is wanted of the inputs");
  torch::manual_seed(options.seed);
  const Shape& shape = real.type(real.inputs[0].value).shape;
  const Start start = best_start(synthesis, shape);
  const int64_t batches = (options.count + options.batch - 1) / options.batch;
  std::vector<Tensor> samples;
  int64_t done = 0;
  for (int64_t b = 0; b < batches; ++b) {
    std::vector<int64_t> extents = shape;
    extents[0] = std::min(options.batch, options.count);
    torch::Tensor noise = noise_of(extents, start.smooth).requires_grad_(true);
    torch::optim::Adam adam({noise}, torch::optim::AdamOptions(kRate));
    for (int64_t step = 0; step < options.steps; ++step) {
      const double position = static_cast<double>(step) / static_cast<double>(options.steps);
      static_cast<torch::optim::AdamOptions&>(adam.param_groups()[0].options())
          .lr(kRate * 0.5 * (1 + std::cos(position * std::numbers::pi)));
      adam.zero_grad();
      synthesis.loss(noise * start.deviation + start.mean).backward();
      adam.step();
      if (progress) progress(++done, batches * options.steps);
    }
    const torch::NoGradGuard no_gradients;
    const torch::Tensor made = noise * start.deviation + start.mean;
    for (int64_t s = 0; s < made.size(0) && std::ssize(samples) < options.count; ++s)
      samples.push_back(from_torch(made.narrow(0, s, 1), shape));
  }
  return samples;
}

}  // namespace nibble
