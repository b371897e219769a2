// resize_nearest: each output pixel is the source pixel nearest to it, by TensorFlow Lite's rule in
// float arithmetic.
#include <algorithm>

#include "base/text.h"
#include "ops/checks.h"
#include "ops/move.h"

namespace nibble {
namespace {

constexpr int64_t kMaxExtent = INT16_MAX;  // positions travel as s16

}  // namespace

std::vector<int16_t> source_positions(const ResizeNearest& op, int64_t in, int64_t out) {
  const float scale = op.align_corners && out > 1
                          ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                          : static_cast<float>(in) / static_cast<float>(out);
  const float offset = op.half_pixel_centers ? 0.5f : 0.0f;
  std::vector<int16_t> positions;
  for (int64_t i = 0; i < out; ++i) {
    float at = (static_cast<float>(i) + offset) * scale;
    auto position = static_cast<int64_t>(op.align_corners ? std::round(at) : std::floor(at));
    positions.push_back(static_cast<int16_t>(std::clamp<int64_t>(position, 0, in - 1)));
  }
  return positions;
}

template <>
Result<std::vector<TensorType>> OpDef<ResizeNearest>::infer(const ResizeNearest& op, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  NIBBLE_TRY(check_rank(src, 4, "src"));
  if (std::min(op.out_h, op.out_w) < 1 ||
      std::max({op.out_h, op.out_w, src.shape[1], src.shape[2]}) > kMaxExtent)
    return input_error(fmt::format("resizes src {} to {}x{}; heights and widths must be 1 to {}",
                                   format_shape(src.shape), op.out_h, op.out_w, kMaxExtent));
  Shape shape = {src.shape[0], op.out_h, op.out_w, src.shape[3]};
  NIBBLE_TRY(check_extents(shape, "the output"));
  return std::vector<TensorType>{{std::move(shape), src.dtype, std::nullopt}};
}

template <>
void OpDef<ResizeNearest>::run_float(const ResizeNearest& op, Inputs in, Tensor& out) {
  const Shape& shape = in[0]->shape();
  std::vector<int16_t> src_y = source_positions(op, shape[1], op.out_h);
  std::vector<int16_t> src_x = source_positions(op, shape[2], op.out_w);
  int64_t pixel = shape[3] * dtype_bytes(out.dtype());
  const uint8_t* from = in[0]->bytes().data();
  uint8_t* to = out.mutable_bytes().data();
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int16_t y : src_y)
      for (int16_t x : src_x) {
        std::memcpy(to, from + ((n * shape[1] + y) * shape[2] + x) * pixel,
                    static_cast<size_t>(pixel));
        to += pixel;
      }
}

template <>
Result<std::vector<KernelRequest>> OpDef<ResizeNearest>::lower(const ResizeNearest& op, Rounding,
                                                               Operands in, const TensorType& out) {
  NIBBLE_TRY(check_movable(out));
  const Shape& src = in[0].type->shape;
  if (src == out.shape && !op.half_pixel_centers) return std::vector<KernelRequest>();
  KernelRequest request;
  request.family = family_of("resize_nearest", out);
  request.fields = {{"batches", src[0]},  {"in_h", src[1]},    {"in_w", src[2]},
                    {"channels", src[3]}, {"out_h", op.out_h}, {"out_w", op.out_w}};
  request.constants.emplace_back(
      "src_y",
      Tensor::of<int16_t>({op.out_h}, DType::kS16, source_positions(op, src[1], op.out_h)));
  request.constants.emplace_back(
      "src_x",
      Tensor::of<int16_t>({op.out_w}, DType::kS16, source_positions(op, src[2], op.out_w)));
  return std::vector{std::move(request)};
}

template <>
Status OpDef<ResizeNearest>::verify_integer(const ResizeNearest&, Rounding, Operands in,
                                            const TensorType& out) {
  return verify_move(in, out);
}

template <>
void OpDef<ResizeNearest>::run_integer(const ResizeNearest& op, Rounding, Inputs in, Tensor& out) {
  run_float(op, in, out);
}

template <>
QuantRule OpDef<ResizeNearest>::quant_rule(const ResizeNearest&) {
  return {QuantRule::Output::kSameAsInput};
}

template <>
int64_t OpDef<ResizeNearest>::macs(const ResizeNearest&, Operands, const TensorType&) {
  return 0;
}

}  // namespace nibble
