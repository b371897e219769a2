// AdaQuant's variables; learned_layer.h has the equation.
#include <torch/types.h>

#include "base/text.h"
#include "ops/ops.h"
#include "train/fake_quant.h"
#include "train/learned_layer.h"
#include "train/torch_nodes.h"

namespace nibble {
namespace {

// Weights move in steps of their scale, scales by shares of themselves, biases by shares of the
// largest one.
constexpr double kWeightRate = 2e-2, kScaleRate = 1e-3, kBiasRate = 1e-3;

class MovedLayer : public LearnedLayer {
 public:
  MovedLayer(const Graph& integer, const Node& node, const Tensor& real, const Tensor& real_bias)
      : node_(node) {
    const QuantRule rule = quant_rule(node.op);
    filter_ = node.inputs[static_cast<size_t>(rule.weight)];
    type_ = integer.type(filter_);
    scales_ = element_scales(type_);
    const Tensor& start = *integer.value(filter_).constant;
    const torch::Tensor wanted = to_torch(real) / scales_.scale + scales_.zero_point;
    const torch::Tensor q = integers_of(start);
    // From the float weight where it rounds to what the graph has, else from that.
    const torch::Tensor near = (wanted - q).abs() < 0.5;
    const torch::Tensor ends =
        ((q == type_.quant->q_min) & (wanted < q)) | ((q == type_.quant->q_max) & (wanted > q));
    steps_ = torch::where(near | ends, wanted, q).clone().requires_grad_(true);
    growth_ = torch::zeros({static_cast<int64_t>(type_.quant->scale.size())}).requires_grad_(true);
    if (rule.bias >= 0 && static_cast<size_t>(rule.bias) < node.inputs.size())
      bias_ = node.inputs[static_cast<size_t>(rule.bias)];
    if (bias_ == kNoValue) return;
    start_bias_ = to_torch(*integer.value(bias_).constant);
    bias_unit_ = std::max(to_torch(real_bias).abs().max().item<double>(), 1e-6);
    shift_ = torch::zeros_like(start_bias_).requires_grad_(true);
  }

  std::vector<VariableGroup> variables() override {
    std::vector<VariableGroup> groups = {{{steps_}, kWeightRate}, {{growth_}, kScaleRate}};
    if (bias_ != kNoValue) groups.push_back({{shift_}, kBiasRate});
    return groups;
  }
  torch::Tensor constant(ValueId id) override {
    if (id == filter_) return factor() * scales_.scale * (integers() - scales_.zero_point);
    if (id == bias_ && bias_ != kNoValue) return start_bias_ + bias_unit_ * shift_;
    return {};
  }
  torch::Tensor penalty(double) override { return torch::zeros({}); }

  void store(Graph& integer) override {
    const torch::NoGradGuard no_gradients;
    TensorType type = type_;
    const torch::Tensor growth = torch::exp(growth_);
    for (size_t c = 0; c < type.quant->scale.size(); ++c)
      type.quant->scale[c] *= growth[static_cast<int64_t>(c)].item<float>();
    Value& filter = integer.value(filter_);
    filter.type = type;
    filter.constant = with_integers(type, integers());
    if (bias_ != kNoValue) restate_bias(integer, node_, start_bias_ + bias_unit_ * shift_);
  }

 private:
  torch::Tensor integers() const {
    return torch::clamp(round_through(steps_), type_.quant->q_min, type_.quant->q_max);
  }
  // What each scale has grown by, per element.
  torch::Tensor factor() const {
    const QuantParams& quant = *type_.quant;
    if (quant.axis < 0) return torch::exp(growth_);
    std::vector<int64_t> shape(type_.shape.size(), 1);
    shape[static_cast<size_t>(quant.axis)] = growth_.numel();
    return torch::exp(growth_).reshape(shape);
  }

  Node node_;
  ValueId filter_ = kNoValue, bias_ = kNoValue;
  TensorType type_;
  ElementScales scales_;
  double bias_unit_ = 1;
  torch::Tensor steps_, growth_, start_bias_, shift_;
};

}  // namespace

Result<std::unique_ptr<LearnedLayer>> moved_layer(const Graph& integer, const Node& node,
                                                  const Tensor& real, const Tensor& real_bias) {
  const ValueId filter = node.inputs[static_cast<size_t>(quant_rule(node.op).weight)];
  if (!integer.type(filter).quant->codebook.empty())
    return usage_error(
        fmt::format("AdaQuant moves weights over uniform levels, and those of '{}' have a codebook",
                    node.name));
  return std::unique_ptr<LearnedLayer>(
      std::make_unique<MovedLayer>(integer, node, real, real_bias));
}

}  // namespace nibble
