// Reconstruction: block by block, the variables of its layers are moved by Adam until the block's
// output is nearest to what the float network has there; train.h names the papers.
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "ops/ops.h"
#include "train/blocks.h"
#include "train/fake_quant.h"
#include "train/fisher.h"
#include "train/learned_layer.h"
#include "train/torch_module.h"
#include "train/torch_nodes.h"
#include "train/twin_run.h"

namespace nibble {
namespace {

// The penalty's weight beside a reconstruction error of 1 at the start. It grows from a tenth of
// its last value, so that weights settle one after the other, and those that have not yet make up
// for those that have.
constexpr double kLastPenalty = 64, kPenaltyGrowth = 10;
constexpr int64_t kEvaluationBatch = 64;

bool by_blocks(Reconstruction method) {
  return method == Reconstruction::kBrecq || method == Reconstruction::kQDrop;
}

const Tensor& constant_of(const Graph& graph, ValueId id) { return *graph.value(id).constant; }

// One block while it is learned.
class BlockLearner {
 public:
  BlockLearner(const TwinRun& run, const Graph& real, Graph& integer, const Block& block,
               const ReconstructOptions& options, uint64_t seed)
      : run_(run), real_(real), integer_(integer), block_(block), options_(options), seed_(seed) {}

  Status make_layers() {
    for (size_t index : block_.layers) {
      const Node& node = integer_.nodes[index];
      const Node* twin = run_.real_node(node);
      if (!twin) continue;
      const QuantRule rule = quant_rule(node.op);
      const Tensor& weight = constant_of(real_, twin->inputs[static_cast<size_t>(rule.weight)]);
      if (options_.method != Reconstruction::kAdaQuant) {
        layers_.push_back(rounded_layer(integer_, node, weight));
        continue;
      }
      const auto bias = static_cast<size_t>(rule.bias);
      const bool has_bias = bias < twin->inputs.size() && twin->inputs[bias] != kNoValue;
      NIBBLE_ASSIGN(auto moved,
                    moved_layer(integer_, node, weight,
                                has_bias ? constant_of(real_, twin->inputs[bias]) : Tensor()));
      layers_.push_back(std::move(moved));
    }
    return {};
  }

  // Of all samples. `operands`: as the float and as the integer network have them; `targets`: the
  // block's outputs as the float network has them; `weights`: of their elements, or empty.
  Result<BlockLoss> learn(std::map<ValueId, Twin> operands, std::vector<torch::Tensor> targets,
                          std::vector<torch::Tensor> weights,
                          const std::function<void()>& step_done) {
    operands_ = std::move(operands);
    targets_ = std::move(targets);
    weights_ = std::move(weights);
    BlockLoss loss;
    loss.nodes = block_.end - block_.begin == 1 ? integer_.nodes[block_.begin].name
                                                : integer_.nodes[block_.begin].name + " ... " +
                                                      integer_.nodes[block_.end - 1].name;
    loss.before = loss_over_all();
    loss.after = loss.before;
    if (!std::isfinite(loss.before)) return not_finite("'" + loss.nodes + "'");
    if (!(loss.before > 0) || layers_.empty()) {
      for (int64_t i = 0; i < options_.steps; ++i) step_done();
      return loss;
    }
    torch::manual_seed(seed_);
    optimize(loss.before, step_done);
    // A gradient that is no number leaves none in the variables.
    if (!variables_finite()) return loss;
    const Graph old = integer_;
    for (auto& layer : layers_) layer->store(integer_);
    // Other weights, a larger bias or a smaller scale may leave an accumulator no room, and rounded
    // for good the weights may be worse than before: then those stay.
    const bool sound = verify_graph(integer_, VerifyLevel::kQuantized).ok();
    const double after = sound ? loss_over_all() : INFINITY;
    if (after < loss.before)
      loss.after = after;
    else
      integer_ = old;
    return loss;
  }

 private:
  bool variables_finite() const {
    for (const auto& layer : layers_)
      for (const VariableGroup& group : layer->variables())
        if (!all_finite(group.variables)) return false;
    return true;
  }

  void optimize(double before, const std::function<void()>& step_done) {
    std::vector<torch::optim::OptimizerParamGroup> groups;
    std::vector<double> rates;
    for (auto& layer : layers_)
      for (VariableGroup& group : layer->variables()) {
        rates.push_back(group.rate);
        groups.emplace_back(group.variables,
                            std::make_unique<torch::optim::AdamOptions>(group.rate));
      }
    torch::optim::Adam adam(groups, torch::optim::AdamOptions());
    const int64_t batch = std::min(options_.batch, run_.samples());
    for (int64_t step = 0; step < options_.steps; ++step) {
      const double progress = static_cast<double>(step) / static_cast<double>(options_.steps);
      const double fall = 0.5 * (1 + std::cos(progress * std::numbers::pi));
      for (size_t g = 0; g < adam.param_groups().size(); ++g)
        static_cast<torch::optim::AdamOptions&>(adam.param_groups()[g].options())
            .lr(rates[g] * (0.1 + 0.9 * fall));
      adam.zero_grad();
      const torch::Tensor chosen = torch::randint(run_.samples(), {batch}, torch::kInt64);
      torch::Tensor loss = loss_of(chosen, true) / before;
      const double weight = kLastPenalty * std::pow(kPenaltyGrowth, progress - 1) /
                            static_cast<double>(layers_.size());
      for (auto& layer : layers_) loss = loss + weight * layer->penalty(progress);
      loss.backward();
      adam.step();
      step_done();
    }
  }

  // The weighted mean squared error of each output over these samples, summed; learning: with the
  // variables and whatever the method does to the activations.
  torch::Tensor loss_of(const torch::Tensor& chosen, bool learning) const {
    const bool drops = learning && options_.method == Reconstruction::kQDrop;
    auto kept = [&](const torch::Tensor& real, const torch::Tensor& rounded) {
      return torch::where(torch::rand_like(real) < options_.drop, real, rounded);
    };
    TwinRun::Live live;
    for (const auto& [id, twin] : operands_) {
      const torch::Tensor rounded = twin.integer.index_select(0, chosen);
      live[id] = drops ? kept(twin.real.index_select(0, chosen), rounded) : rounded;
    }
    Substitute constant;
    if (learning)
      constant = [this](ValueId id) {
        for (const auto& layer : layers_)
          if (torch::Tensor learned = layer->constant(id); learned.defined()) return learned;
        return torch::Tensor();
      };
    TwinRun::Round rounding;
    if (drops)
      rounding = [&](ValueId id, const torch::Tensor& x) {
        return kept(x, fake_quantized(x, integer_.type(id)));
      };
    live = run_.run_integer(block_.begin, block_.end, std::move(live), constant, rounding);
    torch::Tensor loss;
    for (size_t k = 0; k < targets_.size(); ++k) {
      const torch::Tensor& result = live.at(block_.outputs[k]);
      torch::Tensor error = (result - targets_[k].index_select(0, chosen)).pow(2);
      if (!weights_.empty()) error = error * weights_[k].index_select(0, chosen);
      loss = loss.defined() ? loss + error.mean() : error.mean();
    }
    return loss;
  }

  double loss_over_all() const {
    const torch::NoGradGuard no_gradients;
    double sum = 0;
    for (int64_t begin = 0; begin < run_.samples(); begin += kEvaluationBatch) {
      const int64_t count = std::min(kEvaluationBatch, run_.samples() - begin);
      sum += loss_of(torch::arange(begin, begin + count), false).item<double>() *
             static_cast<double>(count);
    }
    return sum / static_cast<double>(run_.samples());
  }

  const TwinRun& run_;
  const Graph& real_;
  Graph& integer_;
  const Block& block_;
  const ReconstructOptions& options_;
  uint64_t seed_;
  std::vector<std::unique_ptr<LearnedLayer>> layers_;
  std::map<ValueId, Twin> operands_;
  std::vector<torch::Tensor> targets_, weights_;
};

}  // namespace

Result<std::vector<BlockLoss>> reconstruct_in_torch(const Graph& real, Graph& integer,
                                                    std::span<const Tensor> samples,
                                                    const ReconstructOptions& options,
                                                    const StepProgress& progress) {
  NIBBLE_ASSIGN(TwinRun run, TwinRun::make(real, integer, samples));
  const std::vector<Block> blocks =
      by_blocks(options.method) ? residual_blocks(integer) : layer_blocks(integer);
  const int64_t total = static_cast<int64_t>(blocks.size()) * options.steps;
  int64_t done = 0;
  const auto step_done = [&] {
    if (progress) progress(++done, total);
  };
  std::vector<BlockLoss> losses;
  for (size_t b = 0; b < blocks.size(); ++b) {
    const Block& block = blocks[b];
    if (static_cast<int64_t>(b) < options.blocks_done) {
      done += options.steps;
      continue;
    }
    run.run_to(block.begin);
    std::map<ValueId, Twin> operands;
    TwinRun::Live reals;
    for (ValueId id : run.read_by(block.begin, block.end)) {
      operands[id] = run.at(id);
      reals[id] = run.at(id).real;
    }
    const uint64_t seed = options.seed + b;
    std::vector<torch::Tensor> targets, weights;
    {
      const torch::NoGradGuard no_gradients;
      const TwinRun::Live found = run.run_real(block.begin, block.end, reals);
      for (ValueId id : block.outputs) targets.push_back(found.at(id));
    }
    if (by_blocks(options.method)) weights = fisher_weights(run, block, targets, seed);
    BlockLearner learner(run, real, integer, block, options, seed);
    NIBBLE_TRY(learner.make_layers());
    NIBBLE_ASSIGN(BlockLoss loss, learner.learn(std::move(operands), targets, weights, step_done));
    if (options.block_done)
      NIBBLE_TRY(options.block_done(static_cast<int64_t>(b) + 1, loss, integer));
    losses.push_back(std::move(loss));
  }
  return losses;
}

}  // namespace nibble
