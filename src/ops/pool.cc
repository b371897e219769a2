// Shapes and checks of the two pools.
#include "ops/pool.h"

namespace nibble {
namespace {

// A window without any element of the image has neither maximum nor mean.
Status check_every_window(int64_t in, int64_t out, int64_t k, int64_t stride, int64_t dilation,
                          int64_t pad_before, std::string_view axis) {
  for (int64_t position = 0; position < out; ++position)
    if (taps_inside(position * stride - pad_before, in, k, dilation).count() == 0)
      return input_error(
          fmt::format("along {} window {} lies wholly in the padding; the padding must be smaller "
                      "than the window",
                      axis, position));
  return {};
}

}  // namespace

Result<std::vector<TensorType>> infer_pool(Operands in, int64_t k_h, int64_t k_w,
                                           const Window& window) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_rank(src, 4, "src"));
  NIBBLE_ASSIGN(auto extents, window_extents(src.shape, k_h, k_w, window));
  auto [out_h, out_w] = extents;
  Shape shape{src.shape[0], out_h, out_w, src.shape[3]};
  NIBBLE_TRY(check_extents(shape, "output"));
  NIBBLE_TRY(check_every_window(src.shape[1], out_h, k_h, window.stride_h, window.dilation_h,
                                window.pad_top, "the height"));
  NIBBLE_TRY(check_every_window(src.shape[2], out_w, k_w, window.stride_w, window.dilation_w,
                                window.pad_left, "the width"));
  return std::vector{TensorType{std::move(shape), src.dtype, std::nullopt}};
}

Status verify_pool(Operands in, const TensorType& out) {
  NIBBLE_TRY(check_activations(*in[0].type, out));
  return check_same_quant(*in[0].type, out);
}

KernelRequest pool_request(std::string_view base, Operands in, const TensorType& out, int64_t k_h,
                           int64_t k_w, const Window& window, const Bounds& act) {
  const Shape& src = in[0].type->shape;
  ClampRange range = activation_range(act, out);
  KernelRequest request;
  request.family = family_of(base, out);
  request.fields = {
      {"batches", src[0]},     {"in_h", src[1]},        {"in_w", src[2]}, {"channels", src[3]},
      {"out_h", out.shape[1]}, {"out_w", out.shape[2]}, {"k_h", k_h},     {"k_w", k_w},
      {"act_min", range.min},  {"act_max", range.max}};
  add_window_fields(request, window);
  return request;
}

}  // namespace nibble
