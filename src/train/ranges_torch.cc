// Learned ranges: the two ends of every activation's range are variables of the network's output
// error; train.h names the papers.
#include <torch/optim/adam.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "ops/ops.h"
#include "train/fake_quant.h"
#include "train/output_loss.h"
#include "train/torch_module.h"
#include "train/torch_nodes.h"
#include "train/twin_run.h"

namespace nibble {
namespace {

constexpr double kRate = 1e-2;  // of the logarithm of an end
constexpr int64_t kEvaluationBatch = 64;

// The range of activations that share their parameters.
struct Range {
  TensorType type;  // as it was
  bool two_ends = false;
  torch::Tensor low, high;  // logarithms of what the ends have grown by

  explicit Range(const TensorType& start) : type(start) {
    const QuantParams& quant = *start.quant;
    two_ends = quant.zero_point[0] != quant.q_min && quant.zero_point[0] != 0;
    low = torch::zeros({}).requires_grad_(two_ends);
    high = torch::zeros({}).requires_grad_(true);
  }
  // A range that ends at zero keeps that end, a symmetric one its middle.
  torch::Tensor scale() const {
    const QuantParams& quant = *type.quant;
    const double s = quant.scale[0], z = quant.zero_point[0];
    if (!two_ends) return s * torch::exp(high);
    return s * ((quant.q_max - z) * torch::exp(high) + (z - quant.q_min) * torch::exp(low)) /
           static_cast<double>(quant.q_max - quant.q_min);
  }
  torch::Tensor zero_point() const {
    const QuantParams& quant = *type.quant;
    const double s = quant.scale[0], z = quant.zero_point[0];
    if (!two_ends) return torch::full({}, z);
    return round_through(quant.q_min + s * (z - quant.q_min) * torch::exp(low) / scale());
  }
  torch::Tensor rounded(const torch::Tensor& x) const {
    const torch::Tensor s = scale(), z = zero_point();
    return (torch::clamp(round_through(x / s) + z, type.quant->q_min, type.quant->q_max) - z) * s;
  }
  QuantParams learned() const {
    QuantParams params = *type.quant;
    params.scale[0] = scale().item<float>();
    params.zero_point[0] = std::clamp(static_cast<int32_t>(std::lround(zero_point().item<float>())),
                                      params.q_min, params.q_max);
    return params;
  }
};

class RangeLearner {
 public:
  RangeLearner(const TwinRun& run, Graph& integer, const LearnRangesOptions& options)
      : run_(run), integer_(integer), options_(options) {
    group_of_.assign(integer.values.size(), -1);
    for (const Port& port : integer.inputs) add_range(port.value);
    for (const Node& node : integer.nodes) {
      const ValueId id = node.outputs[0];
      const QuantRule rule = quant_rule(node.op);
      // What shares its operand's parameters learns with it.
      if (rule.output == QuantRule::Output::kSameAsInput && is_integer_node(integer, node))
        group_of_[static_cast<size_t>(id)] = group_of_[static_cast<size_t>(node.inputs[0])];
      else if (rule.output != QuantRule::Output::kFixed)
        add_range(id);
    }
  }

  Result<RangesLoss> learn(const std::function<void()>& step_done) {
    RangesLoss loss;
    loss.before = loss.after = loss_over_all();
    if (!std::isfinite(loss.before)) return not_finite("the network's output");
    if (ranges_.empty() || !(loss.before > 0)) return loss;
    torch::manual_seed(options_.seed);
    optimize(loss.before, step_done);
    for (const Range& range : ranges_)
      if (!all_finite({range.low, range.high})) return loss;
    const Graph old = integer_;
    store();
    if (verify_graph(integer_, VerifyLevel::kQuantized).ok()) {
      for (Range& range : ranges_) {
        const TensorType type{range.type.shape, range.type.dtype, range.learned()};
        range = Range(type);
      }
      loss.after = loss_over_all();
    }
    if (loss.after < loss.before) return loss;
    integer_ = old;
    loss.after = loss.before;
    return loss;
  }

 private:
  void add_range(ValueId id) {
    const TensorType& type = integer_.type(id);
    const std::string& name = integer_.value(id).name;
    if (!type.quant || !is_integer(type.dtype) || !type.quant->per_tensor()) return;
    if (!options_.values.empty() &&
        std::ranges::find(options_.values, name) == options_.values.end())
      return;
    group_of_[static_cast<size_t>(id)] = static_cast<int>(ranges_.size());
    ranges_.emplace_back(type);
  }

  torch::Tensor rounded(ValueId id, const torch::Tensor& x) const {
    const int group = group_of_[static_cast<size_t>(id)];
    return group < 0 ? fake_quantized(x, integer_.type(id))
                     : ranges_[static_cast<size_t>(group)].rounded(x);
  }

  torch::Tensor loss_of(const torch::Tensor& chosen) const {
    const ValueId input = integer_.inputs[0].value;
    const torch::Tensor x = run_.at(input).real.index_select(0, chosen);
    const size_t end = integer_.nodes.size();
    TwinRun::Live real;
    {
      const torch::NoGradGuard no_gradients;
      real = run_.run_real(0, end, {{input, x}});
    }
    const TwinRun::Live got =
        run_.run_integer(0, end, {{input, rounded(input, x)}}, {},
                         [&](ValueId id, const torch::Tensor& y) { return rounded(id, y); });
    torch::Tensor loss = torch::zeros({});
    for (const Port& port : integer_.outputs)
      loss = loss + output_loss(real.at(port.value), got.at(port.value),
                                is_distribution(integer_, port.value));
    return loss;
  }

  double loss_over_all() const {
    const torch::NoGradGuard no_gradients;
    double sum = 0;
    for (int64_t begin = 0; begin < run_.samples(); begin += kEvaluationBatch) {
      const int64_t end = std::min(run_.samples(), begin + kEvaluationBatch);
      sum += loss_of(torch::arange(begin, end)).item<double>() * static_cast<double>(end - begin);
    }
    return sum / static_cast<double>(run_.samples());
  }

  void optimize(double before, const std::function<void()>& step_done) {
    std::vector<torch::Tensor> variables;
    for (const Range& range : ranges_) {
      variables.push_back(range.high);
      if (range.two_ends) variables.push_back(range.low);
    }
    torch::optim::Adam adam(variables, torch::optim::AdamOptions(kRate));
    const int64_t batch = std::min(options_.batch, run_.samples());
    for (int64_t step = 0; step < options_.steps; ++step) {
      const double progress = static_cast<double>(step) / static_cast<double>(options_.steps);
      static_cast<torch::optim::AdamOptions&>(adam.param_groups()[0].options())
          .lr(kRate * 0.5 * (1 + std::cos(progress * std::numbers::pi)));
      adam.zero_grad();
      (loss_of(torch::randint(run_.samples(), {batch}, torch::kInt64)) / before).backward();
      adam.step();
      step_done();
    }
  }

  // The learned parameters, and every bias in its layer's new scale.
  void store() {
    const torch::NoGradGuard no_gradients;
    for (size_t v = 0; v < group_of_.size(); ++v)
      if (group_of_[v] >= 0 && !integer_.values[v].constant)
        integer_.values[v].type.quant = ranges_[static_cast<size_t>(group_of_[v])].learned();
    for (const Node& node : integer_.nodes)
      if (is_integer_node(integer_, node)) restate_bias(integer_, node);
  }

  const TwinRun& run_;
  Graph& integer_;
  const LearnRangesOptions& options_;
  std::vector<Range> ranges_;
  std::vector<int> group_of_;  // per value; -1: not learned
};

}  // namespace

Result<RangesLoss> learn_ranges_in_torch(const Graph& real, Graph& integer,
                                         std::span<const Tensor> samples,
                                         const LearnRangesOptions& options,
                                         const StepProgress& progress) {
  NIBBLE_ASSIGN(TwinRun run, TwinRun::make(real, integer, samples));
  int64_t done = 0;
  RangeLearner learner(run, integer, options);
  return learner.learn([&] {
    if (progress) progress(++done, options.steps);
  });
}

}  // namespace nibble
