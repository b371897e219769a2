// Shapes and checks of the two convolutions.
#include "ops/conv.h"

namespace nibble {

Status check_conv_operands(Operands in) {
  NIBBLE_TRY(check_operands(in, {"src", "filter", "[bias]"}));
  const TensorType &src = *in[0].type, &filter = *in[1].type;
  NIBBLE_TRY(check_rank(src, 4, "src"));
  NIBBLE_TRY(check_rank(filter, 4, "filter"));
  return check_same_kind(src, "src", filter, "filter");
}

Result<std::vector<TensorType>> infer_conv(Operands in, int64_t out_c, const Window& window) {
  const TensorType &src = *in[0].type, &filter = *in[1].type;
  if (has_operand(in, 2)) NIBBLE_TRY(check_bias_operand(*in[2].type, out_c, filter));
  NIBBLE_ASSIGN(auto extents, window_extents(src.shape, filter.shape[1], filter.shape[2], window));
  Shape shape{src.shape[0], extents.first, extents.second, out_c};
  NIBBLE_TRY(check_extents(shape, "output"));
  return std::vector{TensorType{std::move(shape), src.dtype, std::nullopt}};
}

FloatConv float_conv(Inputs in, const Tensor& out, int64_t groups, const Window& window,
                     const Bounds& act) {
  const Shape &src = in[0]->shape(), &filter = in[1]->shape(), &dst = out.shape();
  return {src[0], src[1],    src[2],    src[3], dst[1], dst[2],
          dst[3], filter[1], filter[2], groups, window, act};
}

KernelRequest conv_request(const std::string& base, Operands in, const TensorType& out,
                           const Window& window, const Bounds& act, Rounding rounding,
                           WeightLayer layer) {
  const Shape &src = in[0].type->shape, &filter = in[1].type->shape;
  KernelRequest request = weight_request(base, in, out, act, rounding, layer);
  request.fields.insert(request.fields.end(), {{"batches", src[0]},
                                               {"in_h", src[1]},
                                               {"in_w", src[2]},
                                               {"in_c", src[3]},
                                               {"out_h", out.shape[1]},
                                               {"out_w", out.shape[2]},
                                               {"k_h", filter[1]},
                                               {"k_w", filter[2]}});
  add_window_fields(request, window);
  return request;
}

}  // namespace nibble
