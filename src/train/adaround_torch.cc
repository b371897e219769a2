// AdaRound's variables; learned_layer.h has the equations.
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/ops.h"
#include "train/fake_quant.h"
#include "train/learned_layer.h"
#include "train/torch_nodes.h"

namespace nibble {
namespace {

constexpr double kZeta = 1.1, kGamma = -0.1;
constexpr double kFirstBeta = 20, kLastBeta = 2;
constexpr double kWarmUp = 0.2;  // share of the steps without the penalty
// Ten times the paper's, for a tenth of its steps: a variable must be able to come all the way.
constexpr double kRate = 1e-1;
// How near to a level a weight may start: sigmoid's gradient must not vanish.
constexpr double kMargin = 0.02;

// The level next to q on the side of `wanted`: what the weight may become instead of q.
int32_t neighbour(const QuantParams& params, int32_t q, double wanted) {
  const int step = wanted > q ? 1 : -1;
  if (params.codebook.empty()) return std::clamp(q + step, params.q_min, params.q_max);
  const auto at = std::ranges::lower_bound(params.codebook, q);
  if (step < 0) return at == params.codebook.begin() ? q : *(at - 1);
  return at + 1 == params.codebook.end() ? q : *(at + 1);
}

class RoundedLayer : public LearnedLayer {
 public:
  RoundedLayer(const Graph& integer, const Node& node, const Tensor& real)
      : filter_(node.inputs[static_cast<size_t>(quant_rule(node.op).weight)]),
        type_(integer.type(filter_)),
        scales_(element_scales(type_)) {
    const Tensor& start = *integer.value(filter_).constant;
    const torch::Tensor wanted = to_torch(real) / scales_.scale + scales_.zero_point;
    below_ = integers_of(start);
    above_ = torch::empty_like(below_);
    torch::Tensor share = torch::empty_like(below_);
    auto *below = below_.data_ptr<float>(), *above = above_.data_ptr<float>(),
         *shares = share.data_ptr<float>();
    const torch::Tensor flat = wanted.contiguous();
    const auto* steps = flat.data_ptr<float>();
    for (int64_t i = 0; i < below_.numel(); ++i) {
      const auto q = static_cast<int32_t>(below[i]);
      const int32_t other = neighbour(*type_.quant, q, static_cast<double>(steps[i]));
      below[i] = static_cast<float>(std::min(q, other));
      above[i] = static_cast<float>(std::max(q, other));
      const float extent = above[i] - below[i];
      shares[i] = extent > 0 ? (steps[i] - below[i]) / extent : 0;
    }
    // h(v) = share.
    share = share.clamp(kMargin, 1 - kMargin);
    variable_ = (-torch::log((kZeta - kGamma) / (share - kGamma) - 1)).requires_grad_(true);
  }

  std::vector<VariableGroup> variables() override { return {{{variable_}, kRate}}; }
  torch::Tensor constant(ValueId id) override {
    if (id != filter_) return {};
    return scales_.scale * (below_ + share() * (above_ - below_) - scales_.zero_point);
  }
  torch::Tensor penalty(double progress) override {
    if (progress < kWarmUp) return torch::zeros({});
    const double rest = (progress - kWarmUp) / (1 - kWarmUp);
    const double beta =
        kLastBeta + 0.5 * (kFirstBeta - kLastBeta) * (1 + std::cos(rest * std::numbers::pi));
    return (1 - torch::pow(torch::abs(2 * share() - 1), beta)).mean();
  }
  void store(Graph& integer) override {
    const torch::NoGradGuard no_gradients;
    integer.value(filter_).constant =
        with_integers(type_, torch::where(share() >= 0.5, above_, below_));
  }

 private:
  torch::Tensor share() const {
    return torch::clamp(torch::sigmoid(variable_) * (kZeta - kGamma) + kGamma, 0, 1);
  }

  ValueId filter_;
  TensorType type_;
  ElementScales scales_;
  torch::Tensor below_, above_, variable_;
};

}  // namespace

std::unique_ptr<LearnedLayer> rounded_layer(const Graph& integer, const Node& node,
                                            const Tensor& real) {
  return std::make_unique<RoundedLayer>(integer, node, real);
}

}  // namespace nibble
