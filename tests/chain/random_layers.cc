#include "chain/random_layers.h"

#include <algorithm>
#include <cstdlib>

#include "support/element_layer.h"
#include "support/move_layer.h"
#include "support/weight_layer.h"
#include "support/wide_layer.h"

namespace nibble {
namespace {

// Adds a graph of one layer to `all`, under names of its own.
void add_layer(const Graph& layer, int index, Graph& all) {
  const Node& node = layer.nodes.at(0);
  auto name = [&](const std::string& what) { return "l" + std::to_string(index) + "_" + what; };
  std::vector<ValueId> inputs;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    ValueId id = node.inputs[i];
    std::string operand = name("operand" + std::to_string(i));
    if (id == kNoValue)
      inputs.push_back(id);
    else if (layer.is_constant(id))
      inputs.push_back(append_constant(all, operand, *layer.value(id).constant));
    else
      inputs.push_back(append_input(all, operand, layer.type(id)));
  }
  Result<ValueId> out =
      append_node(all, node.op, name("node"), inputs, layer.type(node.outputs[0]).quant,
                  layer.type(node.outputs[0]).dtype);
  NIBBLE_CHECK(out.ok(), "{}", out.error().message);
  all.outputs.push_back({*out, {}});
}

}  // namespace

const std::vector<LayerFamily>& layer_families() {
  static const std::vector<LayerFamily> families = {
      {"conv2d", random_conv2d},
      {"depthwise_conv2d", random_depthwise_conv2d},
      {"depthwise_columns", random_depthwise_columns},
      {"dense", random_dense},
      {"wide", random_wide_layer, 25},
      {"sum", random_sum},
      {"avg_pool2d", random_avg_pool2d},
      {"max_pool2d", random_max_pool2d},
      {"mean", random_mean},
      {"softmax", random_softmax},
      {"quantize", random_quantize},
      {"unary", random_unary},
      {"mul", random_mul},
      {"broadcast_sum", random_broadcast_sum},
      {"conv2d_s16", random_conv2d_s16},
      {"depthwise_conv2d_s16", random_depthwise_conv2d_s16},
      {"dense_s16", random_dense_s16},
      {"sum_s16", random_sum_s16},
      {"mul_s16", random_mul_s16},
      {"mul_broadcast_s16", random_broadcast_s16<Mul>},
      {"add_broadcast_s16", random_broadcast_s16<Add>},
      {"mean_s16", random_mean_s16},
      {"max_pool2d_s16", random_pool_s16<MaxPool2d>},
      {"avg_pool2d_s16", random_pool_s16<AvgPool2d>},
      {"pad", random_pad},
      {"resize_nearest", random_resize_nearest},
      {"transpose", random_transpose},
      {"slice", random_slice},
      {"concat", random_concat},
      {"softmax_s16", random_softmax_s16},
      {"leaky_relu_s16", random_leaky_relu_s16},
      {"clamp_s16", random_clamp_s16},
      {"requantize", random_requantize},
      {"quantize_s16", random_quantize_s16},
      {"dequantize", random_dequantize}};
  return families;
}

int random_layers_wanted(int by_default) {
  const char* wanted = std::getenv("NIBBLE_RANDOM_LAYERS");
  return wanted ? std::max(1, std::atoi(wanted)) : by_default;
}

void add_layers(const LayerFamily& family, int count, Rng& rng, Graph& all) {
  for (int drawn = 0; drawn < count;) {
    Result<Layer> layer = family.draw(rng);
    if (!layer.ok() || layer->graph.rounding != all.rounding) continue;
    add_layer(layer->graph, static_cast<int>(all.outputs.size()), all);
    ++drawn;
  }
}

Graph draw_layers(const LayerFamily& family, int count, uint64_t seed, Rounding rounding) {
  Rng rng(seed);
  Graph all;
  all.name = family.name;
  all.rounding = rounding;
  add_layers(family, count, rng, all);
  return all;
}

}  // namespace nibble
