// Plants in the layers of an integer graph what trained networks are found with: output channels
// without weights, saturated ones, copies of others, input channels that nobody reads. Needs ops/.
#pragma once

#include <algorithm>

#include "support/random_mobile_graph.h"

namespace nibble {

class ChannelPlanter {
 public:
  ChannelPlanter(Graph& graph, uint64_t seed) : graph_(graph), rng_(seed) {}

  // Every layer with weights gets its share; shared constants are planted once.
  void plant() {
    for (const Node& node : graph_.nodes) {
      const QuantRule rule = quant_rule(node.op);
      if (rule.weight < 0 || !graph_.is_constant(node.inputs[1])) continue;
      Tensor& filter = *graph_.value(node.inputs[1]).constant;
      if (filter.dtype() != DType::kS8) continue;
      axis_ = static_cast<size_t>(rule.weight_channel_axis);
      Tensor* bias = node.inputs.size() > 2 && graph_.is_constant(node.inputs[2])
                         ? &*graph_.value(node.inputs[2]).constant
                         : nullptr;
      // Small weights, so that sums of them fit.
      if (rng_.integer(0, 1))
        for (int8_t& weight : filter.mutable_data<int8_t>())
          weight = static_cast<int8_t>(weight / 8);
      for (int64_t o = 0; o < filter.shape()[axis_]; ++o) plant_output(filter, bias, o);
      if (axis_ == 0)
        for (int64_t c = 0; c < filter.shape().back(); ++c)
          if (rng_.integer(0, 7) == 0) fill(filter, filter.shape().size() - 1, c, 0);
      restate(node.inputs[1]);
      if (bias) restate(node.inputs[2]);
    }
  }

 private:
  void plant_output(Tensor& filter, Tensor* bias, int64_t o) {
    switch (rng_.integer(0, 7)) {
      case 0:
      case 1:
        fill(filter, axis_, o, 0);
        break;
      case 2:  // as far from zero as any input of these graphs gets
        if (bias) bias->set_integer_at(o, rng_.integer(0, 1) ? 300000 : -300000);
        break;
      case 3:
        if (o > 0) copy_channel(filter, bias, rng_.integer(0, o - 1), o);
        break;
      default:
        break;
    }
  }

  template <class Visit>  // visit(element at `from`, element at `to`) along an axis
  static void for_each_along(Tensor& tensor, size_t axis, int64_t from, int64_t to, Visit&& visit) {
    int64_t inner = 1;
    for (size_t i = axis + 1; i < tensor.shape().size(); ++i) inner *= tensor.shape()[i];
    const int64_t extent = tensor.shape()[axis];
    auto elems = tensor.mutable_data<int8_t>();
    for (int64_t i = 0; i < tensor.size(); ++i)
      if (i / inner % extent == to)
        visit(elems[static_cast<size_t>(i + (from - to) * inner)], elems[static_cast<size_t>(i)]);
  }
  static void fill(Tensor& tensor, size_t axis, int64_t at, int8_t value) {
    for_each_along(tensor, axis, at, at, [&](int8_t&, int8_t& elem) { elem = value; });
  }
  void copy_channel(Tensor& filter, Tensor* bias, int64_t from, int64_t to) const {
    for_each_along(filter, axis_, from, to, [](int8_t source, int8_t& elem) { elem = source; });
    copy_scale(filter, from, to);
    if (!bias) return;
    bias->set_integer_at(to, bias->integer_at(from));
    copy_scale(*bias, from, to);
  }
  static void copy_scale(Tensor& tensor, int64_t from, int64_t to) {
    if (!tensor.type().quant || tensor.type().quant->per_tensor()) return;
    QuantParams quant = *tensor.type().quant;
    quant.scale[static_cast<size_t>(to)] = quant.scale[static_cast<size_t>(from)];
    tensor.set_quant(quant);
  }
  void restate(ValueId id) { graph_.value(id).type = graph_.value(id).constant->type(); }

  Graph& graph_;
  Rng rng_;
  size_t axis_ = 0;
};

// A random mobile network with planted channels that verifies; the same for the same seed.
inline Graph planted_mobile_graph(uint64_t seed, int blocks) {
  for (uint64_t attempt = 0;; ++attempt) {
    Graph graph = random_mobile_graph(seed + (attempt << 40), blocks);
    ChannelPlanter(graph, seed + attempt).plant();
    if (verify_graph(graph, VerifyLevel::kImported).ok() || attempt > 50) return graph;
  }
}

}  // namespace nibble
