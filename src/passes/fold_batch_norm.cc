// A batch norm with constant parameters goes into the layer before it, or into the layers behind it
// where that is exact (affine.h has the equations). lower_batch_norm, which runs late, makes a
// depthwise 1x1 convolution of one that stands alone, or a multiplication and an addition where the
// value is no image.
#include "passes/affine.h"
#include "passes/list.h"

namespace nibble {
namespace {

bool fold_before(const View& view, int index, Patch& patch) {
  auto affine = batch_norm_affine(view, index);
  return affine && fold_into_writer(view, index, *affine, patch);
}

bool fold_behind(const View& view, int index, Patch& patch) {
  auto affine = batch_norm_affine(view, index);
  // Only when the writer cannot take it: the layer before has its channels in order already.
  return affine && fold_into_readers(view, index, *affine, patch);
}

ValueId channel_constant(const std::vector<double>& values, Shape shape, const std::string& name,
                         Patch& patch) {
  std::vector<float> rounded(values.begin(), values.end());
  return patch.add_constant(name, Tensor::of_floats(std::move(shape), rounded));
}

bool lower(const View& view, int index, Patch& patch) {
  auto affine = batch_norm_affine(view, index);
  if (!affine) return false;
  const Node& node = view.node(index);
  const TensorType type = view.type(node.outputs[0]);
  const auto channels = static_cast<int64_t>(affine->scale.size());
  const std::string name = node.name;
  if (type.shape.size() == 4) {
    ValueId filter = channel_constant(affine->scale, {1, 1, 1, channels}, name + "_filter", patch);
    ValueId bias = channel_constant(affine->shift, {channels}, name + "_bias", patch);
    patch.replace_node(index, DepthwiseConv2d{}, {affine->src, filter, bias});
    return true;
  }
  ValueId scale = channel_constant(affine->scale, {channels}, name + "_scale", patch);
  ValueId shift = channel_constant(affine->shift, {channels}, name + "_shift", patch);
  ValueId scaled = patch.add_value(name + "_scaled", type);
  patch.add_node(Mul{}, name + "_scaled", {affine->src, scale}, {scaled});
  patch.replace_node(index, Add{}, {scaled, shift});
  return true;
}

}  // namespace

int fold_batch_norm(Graph& graph) { return rewrite(graph, {fold_before, fold_behind}); }

int lower_batch_norm(Graph& graph) { return rewrite(graph, {lower}); }

}  // namespace nibble
