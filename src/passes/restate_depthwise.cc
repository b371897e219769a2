// A depthwise convolution of one input channel is a convolution, whose kernels use every input for
// many outputs:
//   depthwise_conv2d(src [N,H,W,1], filter [1,KH,KW,M]) = conv2d(src, filter [M,KH,KW,1])
// Integers too: both have a scale and a rescaling per output channel.
#include "passes/list.h"
#include "passes/rewrite.h"

namespace nibble {
namespace {

bool restate(const View& view, int index, Patch& patch) {
  const auto* depthwise = view.op_as<DepthwiseConv2d>(index);
  if (!depthwise) return false;
  std::vector<ValueId> inputs = view.node(index).inputs;
  const Tensor* filter = view.constant(inputs[1]);
  if (!filter || view.shape(inputs[0]).back() != 1) return false;
  const auto& quant = filter->type().quant;
  if (quant && !quant->per_tensor() && quant->axis != 3) return false;
  Conv2d conv;
  conv.window = depthwise->window;
  conv.act = depthwise->act;
  const Tensor restated = transposed(*filter, {3, 1, 2, 0});
  inputs[1] = patch.add_constant(view.graph().value(inputs[1]).name, restated);
  patch.replace_node(index, conv, std::move(inputs));
  return true;
}

}  // namespace

int restate_depthwise(Graph& graph) { return rewrite(graph, {restate}); }

}  // namespace nibble
