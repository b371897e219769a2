// Every layer alone needs the whole data set once more, but only from the layer on: what stands
// before it is what the float network (or the wholly quantized one) computed. One run of that
// network per sample serves all layers.
#include "pipeline/effects.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>

#include "base/parallel.h"
#include "base/progress.h"
#include "ops/ops.h"

namespace nibble {
namespace {

// For the weights, packed and plain, and the outputs of the networks that are run side by side.
constexpr int64_t kMostBytes = int64_t{1} << 29;

// The network of an emulation from its first node that differs from the base on.
struct Variant {
  Emulation emulation;
  Graph graph;
  std::vector<ValueId> cut;  // its inputs: what nodes before it wrote, or the network's input

  Variant(Emulation emulated, size_t first) : emulation(std::move(emulated)) {
    graph = emulation.graph();
    graph.nodes.erase(graph.nodes.begin(),
                      graph.nodes.begin() + static_cast<std::ptrdiff_t>(first));
    std::set<ValueId> written, needed;
    auto need = [&](ValueId id) {
      if (id != kNoValue && !graph.is_constant(id) && !written.contains(id)) needed.insert(id);
    };
    for (const Node& node : graph.nodes) {
      std::ranges::for_each(node.inputs, need);
      written.insert(node.outputs.begin(), node.outputs.end());
    }
    for (const Port& port : graph.outputs) need(port.value);
    cut.assign(needed.begin(), needed.end());
    graph.inputs.clear();
    for (ValueId id : cut) graph.inputs.push_back({id, {}});
  }

  std::vector<Tensor> run(Interpreter& interpreter, const std::vector<Tensor>& values,
                          ValueId input) const {
    std::vector<Tensor> inputs;
    for (ValueId id : cut) {
      inputs.push_back(values[static_cast<size_t>(id)]);
      if (id == input) emulation.round(id, inputs.back());
    }
    return interpreter.run(inputs, [&](const Node& node, std::span<Tensor> outputs) {
      emulation.round(node.outputs[0], outputs[0]);
    });
  }
};

using Outputs = std::vector<std::vector<Tensor>>;  // per sample

// The base network and its variants over the data.
class Runs {
 public:
  Runs(const Emulation& base, const Dataset& data) : base_(base), data_(data) {}

  // Outputs of the base, and of each variant.
  std::vector<Outputs> run(const std::vector<Variant>& variants, Progress& progress) {
    const auto samples = static_cast<size_t>(data_.size());
    std::vector<Outputs> results(variants.size() + 1, Outputs(samples));
    std::vector<Worker> workers(static_cast<size_t>(parallel_workers()));
    parallel_for(data_.size(), [&](int64_t begin, int64_t end, int index) {
      Worker& worker = workers[static_cast<size_t>(index)];
      if (worker.empty()) {
        worker.push_back(std::make_unique<Interpreter>(base_.graph()));
        for (const Variant& variant : variants)
          worker.push_back(std::make_unique<Interpreter>(variant.graph));
      }
      for (int64_t s = begin; s < end; ++s) {
        const auto at = static_cast<size_t>(s);
        std::vector<Tensor> values;
        results[0][at] = run_base(*worker[0], s, values);
        for (size_t v = 0; v < variants.size(); ++v)
          results[v + 1][at] =
              variants[v].run(*worker[v + 1], values, base_.graph().inputs[0].value);
        progress.add(static_cast<int64_t>(variants.size()) + 1);
      }
    });
    return results;
  }

 private:
  using Worker = std::vector<std::unique_ptr<Interpreter>>;

  std::vector<Tensor> run_base(Interpreter& interpreter, int64_t sample,
                               std::vector<Tensor>& values) const {
    const Graph& graph = base_.graph();
    const ValueId input = graph.inputs[0].value;
    values.assign(graph.values.size(), Tensor());
    // Kept as it is: a variant rounds it, or does not.
    values[static_cast<size_t>(input)] = dataset_sample(data_, sample, graph);
    std::vector<Tensor> inputs = {values[static_cast<size_t>(input)]};
    base_.round(input, inputs[0]);
    return interpreter.run(inputs, [&](const Node& node, std::span<Tensor> outputs) {
      base_.round(node.outputs[0], outputs[0]);
      values[static_cast<size_t>(node.outputs[0])] = outputs[0];
    });
  }

  const Emulation& base_;
  const Dataset& data_;
};

// Which layer decides whether a value is rounded: what a node copies stays what it was.
std::vector<ValueId> deciding_values(const Graph& graph) {
  std::vector<ValueId> deciding;
  for (size_t i = 0; i < graph.values.size(); ++i) deciding.push_back(static_cast<ValueId>(i));
  for (const Node& node : graph.nodes)
    if (quant_rule(node.op).output == QuantRule::Output::kSameAsInput &&
        !std::holds_alternative<AvgPool2d>(node.op))
      deciding[static_cast<size_t>(node.outputs[0])] =
          deciding[static_cast<size_t>(node.inputs[0])];
  return deciding;
}

double output_sqnr_db(const Outputs& real, const Outputs& found) {
  double signal = 0, noise = 0;
  for (size_t s = 0; s < real.size(); ++s) {
    auto wanted = real[s][0].data<float>(), got = found[s][0].data<float>();
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto value = static_cast<double>(wanted[i]);
      const double off = value - static_cast<double>(got[i]);
      signal += value * value;
      noise += off * off;
    }
  }
  return decibel(signal, noise);
}

class Effects {
 public:
  Effects(Explanation& explanation, const Graph& real, const Graph& integer, const Dataset& data)
      : explanation_(explanation),
        real_(real),
        integer_(integer),
        data_(data),
        deciding_(deciding_values(real)),
        writers_(producers(real)) {
    explanation_.effects.assign(explanation_.layers.size(), std::nullopt);
    for (size_t i = 0; i < explanation_.layers.size(); ++i) {
      const ValueId value = explanation_.layers[i].value;
      if (deciding_[static_cast<size_t>(value)] != value) continue;
      explanation_.effects[i].emplace();
      layers_.push_back(i);
    }
  }

  Status run() {
    Progress progress("effects of single layers",
                      2 * data_.size() * static_cast<int64_t>(layers_.size()));
    const Emulation none = emulation([](ValueId) { return false; });
    NIBBLE_TRY(run_all(none, progress, true));
    const Emulation all = emulation([](ValueId) { return true; });
    return run_all(all, progress, false);
  }

 private:
  Emulation emulation(const std::function<bool(ValueId)>& rounded) const {
    return Emulation::of(real_, integer_,
                         [&](ValueId id) { return rounded(deciding_[static_cast<size_t>(id)]); });
  }

  Variant variant(size_t layer, bool alone) const {
    const ValueId chosen = explanation_.layers[layer].value;
    const int writer = writers_[static_cast<size_t>(chosen)];
    return {emulation([&](ValueId id) { return (id == chosen) == alone; }),
            static_cast<size_t>(std::max(writer, 0))};
  }

  Result<Effect> effect_of(const Outputs& outputs) const {
    Effect effect;
    NIBBLE_ASSIGN(effect.score, score_outputs(real_, data_, outputs, "emulated"));
    effect.output_sqnr_db = output_sqnr_db(real_outputs_, outputs);
    return effect;
  }

  // How many variants at once.
  size_t batch() const {
    int64_t weights = 0, outputs = 0;
    for (const Value& value : real_.values)
      if (value.constant) weights += static_cast<int64_t>(value.constant->bytes().size());
    for (const Port& port : real_.outputs) outputs += 4 * elem_count(real_.type(port.value).shape);
    const int64_t each = weights * (1 + parallel_workers()) + outputs * data_.size();
    return static_cast<size_t>(std::max<int64_t>(kMostBytes / std::max<int64_t>(each, 1), 1));
  }

  Status run_all(const Emulation& base, Progress& progress, bool alone) {
    Runs runs(base, data_);
    for (size_t start = 0; start < layers_.size(); start += batch()) {
      const size_t end = std::min(start + batch(), layers_.size());
      std::vector<Variant> variants;
      for (size_t i = start; i < end; ++i) variants.push_back(variant(layers_[i], alone));
      std::vector<Outputs> outputs = runs.run(variants, progress);
      if (start == 0) NIBBLE_TRY(take_base(std::move(outputs[0]), alone));
      for (size_t i = start; i < end; ++i) {
        LayerEffect& effect = *explanation_.effects[layers_[i]];
        NIBBLE_ASSIGN((alone ? effect.alone : effect.kept), effect_of(outputs[i - start + 1]));
      }
    }
    return {};
  }

  Status take_base(Outputs outputs, bool alone) {
    if (alone) {
      real_outputs_ = std::move(outputs);
      NIBBLE_ASSIGN(explanation_.real, score_outputs(real_, data_, real_outputs_, "float32"));
      return {};
    }
    NIBBLE_ASSIGN(explanation_.emulated, effect_of(outputs));
    return {};
  }

  Explanation& explanation_;
  const Graph& real_;
  const Graph& integer_;
  const Dataset& data_;
  std::vector<ValueId> deciding_;  // per value of the float graph
  std::vector<int> writers_;
  std::vector<size_t> layers_;  // positions in explanation_.layers that round something
  Outputs real_outputs_;
};

}  // namespace

Status add_effects(Explanation& explanation, const Graph& real, const Graph& integer,
                   const Dataset& data) {
  NIBBLE_TRY(Effects(explanation, real, integer, data).run());
  NIBBLE_ASSIGN(explanation.integer, evaluate(integer, data));
  return {};
}

}  // namespace nibble
