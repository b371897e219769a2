#include <torch/types.h>

#include <algorithm>

#include "base/text.h"
#include "ops/ops.h"
#include "train/fake_quant.h"
#include "train/torch_nodes.h"
#include "train/twin_run.h"

namespace nibble {
namespace {

// Samples that go through a node at once: bounds what convolutions allocate.
constexpr int64_t kChunk = 64;

torch::Tensor stacked(std::span<const Tensor> samples) {
  std::vector<torch::Tensor> parts;
  for (const Tensor& sample : samples) parts.push_back(to_torch(sample));
  return torch::cat(parts, 0);
}

}  // namespace

Result<TwinRun> TwinRun::make(const Graph& real, const Graph& integer,
                              std::span<const Tensor> samples) {
  NIBBLE_TRY(check_batchable(real));
  NIBBLE_TRY(check_batchable(integer));
  if (samples.empty()) return input_error("learning needs samples, and there are none");
  TwinRun run(real, integer);
  for (const Node& node : real.nodes) run.real_nodes_[node.name] = &node;
  const bool related = std::ranges::any_of(
      integer.nodes, [&](const Node& node) { return run.real_nodes_.contains(node.name); });
  if (!related)
    return input_error(
        "the float and the integer network have no node in common; learning "
        "compares them node by node");
  run.last_reader_.assign(integer.values.size(), 0);
  for (size_t i = 0; i < integer.nodes.size(); ++i)
    for (ValueId id : integer.nodes[i].inputs)
      if (id != kNoValue) run.last_reader_[static_cast<size_t>(id)] = i;
  for (const Port& port : integer.outputs)
    run.last_reader_[static_cast<size_t>(port.value)] = SIZE_MAX;
  run.samples_ = static_cast<int64_t>(samples.size());
  const ValueId input = integer.inputs[0].value;
  Twin& twin = run.live_[input];
  twin.real = stacked(samples);
  twin.integer = fake_quantized(twin.real, integer.type(input));
  return run;
}

const Node* TwinRun::real_node(const Node& node) const {
  const auto found = real_nodes_.find(node.name);
  return found == real_nodes_.end() ? nullptr : found->second;
}

const Twin& TwinRun::at(ValueId id) const {
  const auto found = live_.find(id);
  NIBBLE_CHECK(found != live_.end(), "'{}' is not live", integer_->value(id).name);
  return found->second;
}

torch::Tensor TwinRun::real_output(const Node& node, const Substitute& activation) const {
  const Node* twin = real_node(node);
  // What quantization added passes its operand on.
  if (!twin) return activation(node.inputs[0]);
  std::vector<torch::Tensor> operands;
  for (size_t k = 0; k < twin->inputs.size(); ++k) {
    const ValueId id = twin->inputs[k];
    if (id == kNoValue)
      operands.emplace_back();
    else if (real_->is_constant(id))
      operands.push_back(to_torch(*real_->value(id).constant));
    else
      operands.push_back(activation(node.inputs[k]));
  }
  return torch_node(*real_, *twin, operands);
}

torch::Tensor TwinRun::integer_output(const Node& node, const Substitute& activation,
                                      const Substitute& constant) const {
  std::vector<torch::Tensor> operands;
  for (ValueId id : node.inputs) {
    torch::Tensor operand;
    if (id != kNoValue && integer_->is_constant(id)) {
      if (constant) operand = constant(id);
      if (!operand.defined()) operand = to_torch(*integer_->value(id).constant);
    } else if (id != kNoValue) {
      operand = activation(id);
    }
    operands.push_back(operand);
  }
  return torch_node(*integer_, node, operands);
}

void TwinRun::run_to(size_t node) {
  const torch::NoGradGuard no_gradients;
  for (; next_ < node; ++next_) {
    const Node& current = integer_->nodes[next_];
    const ValueId output = current.outputs[0];
    std::vector<torch::Tensor> reals, integers;
    for (int64_t begin = 0; begin < samples_; begin += kChunk) {
      const int64_t count = std::min(kChunk, samples_ - begin);
      reals.push_back(
          real_output(current, [&](ValueId id) { return at(id).real.narrow(0, begin, count); }));
      integers.push_back(fake_quantized(
          integer_output(current,
                         [&](ValueId id) { return at(id).integer.narrow(0, begin, count); }, {}),
          integer_->type(output)));
    }
    for (ValueId id : current.inputs)
      if (id != kNoValue && last_reader_[static_cast<size_t>(id)] == next_) live_.erase(id);
    live_[output] = {torch::cat(reals, 0), torch::cat(integers, 0)};
  }
}

TwinRun::Live TwinRun::run_real(size_t begin, size_t end, Live live) const {
  for (size_t i = begin; i < end; ++i) {
    const Node& node = integer_->nodes[i];
    live[node.outputs[0]] = real_output(node, [&](ValueId id) { return live.at(id); });
  }
  return live;
}

TwinRun::Live TwinRun::run_integer(size_t begin, size_t end, Live live, const Substitute& constant,
                                   const Round& rounded) const {
  for (size_t i = begin; i < end; ++i) {
    const Node& node = integer_->nodes[i];
    const ValueId id = node.outputs[0];
    torch::Tensor x = integer_output(
        node, [&](ValueId in) { return live.at(in); }, constant);
    const bool read = std::any_of(
        integer_->nodes.begin() + static_cast<std::ptrdiff_t>(i) + 1,
        integer_->nodes.begin() + static_cast<std::ptrdiff_t>(end), [&](const Node& reader) {
          return std::ranges::find(reader.inputs, id) != reader.inputs.end();
        });
    if (read) x = rounded ? rounded(id, x) : fake_quantized(x, integer_->type(id));
    live[id] = x;
  }
  return live;
}

std::vector<ValueId> TwinRun::read_by(size_t begin, size_t end) const {
  std::vector<ValueId> ids, written;
  for (size_t i = begin; i < end; ++i) {
    for (ValueId id : integer_->nodes[i].inputs)
      if (id != kNoValue && !integer_->is_constant(id) &&
          std::ranges::find(written, id) == written.end() &&
          std::ranges::find(ids, id) == ids.end())
        ids.push_back(id);
    written.push_back(integer_->nodes[i].outputs[0]);
  }
  return ids;
}

}  // namespace nibble
