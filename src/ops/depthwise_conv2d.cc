// depthwise_conv2d: every input channel has its own M filters: dst[oy][ox][c*M+m] = act(bias[c*M+m]
// + sum over ky kx of src[iy][ix][c] * filter[ky][kx][c*M+m]). Integers as TensorFlow Lite's
// per-channel int8 kernel.
#include <algorithm>

#include "ops/conv.h"
#include "ops/integer_dot.h"
#include "ops/run_context.h"

namespace nibble {
namespace {

constexpr WeightLayer kLayer{3, false};

struct PackedDepthwise {
  std::vector<int16_t> taps;  // [ky][kx][channel]
  ChannelConstants channels;
};

std::shared_ptr<PackedDepthwise> pack(Inputs in, const Tensor& out) {
  auto packed = std::make_shared<PackedDepthwise>();
  packed->taps = centred_weights(*in[1]);
  packed->channels = channel_constants(in, out.type(), kLayer);
  return packed;
}

// acc[c*M+m] += src[c] * tap[c*M+m]
void add_tap(const int16_t* src, const int16_t* tap, int64_t channels, int64_t multiplier,
             int32_t* acc) {
  if (multiplier == 1) return multiply_add(src, tap, channels, acc);
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t m = 0; m < multiplier; ++m) *acc++ += int32_t{src[c]} * *tap++;
}

void run_s16(const DepthwiseConv2d& op, Rounding rounding, Inputs in, Tensor& out) {
  auto packed = node_cached<PackedDepthwise>([&] { return pack(in, out); });
  const Shape &filter = in[1]->shape(), &dst = out.shape();
  int64_t in_c = in[0]->shape()[3], out_c = dst[3];
  CentredImage image = centre_image(*in[0], 0, op.window);
  WideOutput output(in, out.type(), op.act, rounding, packed->channels);
  std::vector<int32_t> sums(static_cast<size_t>(out_c));
  const int64_t run = wide_run(packed->taps);
  int16_t* to = out.mutable_data<int16_t>().data();
  for (int64_t pixel = 0; pixel < dst[0] * dst[1] * dst[2]; ++pixel) {
    int64_t ox = pixel % dst[2], oy = pixel / dst[2] % dst[1], n = pixel / (dst[2] * dst[1]);
    std::vector<int64_t> acc = packed->channels.bias;
    for (int64_t tap = 0; tap < filter[1] * filter[2];) {
      std::fill(sums.begin(), sums.end(), 0);
      for (int64_t end = std::min(tap + run, filter[1] * filter[2]); tap < end; ++tap) {
        const int16_t* src =
            image.at(n, oy * op.window.stride_h + tap / filter[2] * op.window.dilation_h,
                     ox * op.window.stride_w + tap % filter[2] * op.window.dilation_w);
        add_tap(src, packed->taps.data() + tap * out_c, in_c, out_c / in_c, sums.data());
      }
      for (size_t oc = 0; oc < acc.size(); ++oc) acc[oc] += sums[oc];
    }
    to = output.write(acc, to);
  }
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<DepthwiseConv2d>::infer(const DepthwiseConv2d& op,
                                                              Operands in) {
  NIBBLE_TRY(check_conv_operands(in));
  const TensorType &src = *in[0].type, &filter = *in[1].type;
  if (filter.shape[0] != 1)
    return input_error(
        fmt::format("filter has shape {}, its first extent must be 1", format_shape(filter.shape)));
  if (filter.shape[3] % src.shape[3] != 0)
    return input_error(fmt::format(
        "filter {} has {} channels, not a multiple of the {} channels of src {}",
        format_shape(filter.shape), filter.shape[3], src.shape[3], format_shape(src.shape)));
  return infer_conv(in, filter.shape[3], op.window);
}

template <>
Status OpDef<DepthwiseConv2d>::verify_integer(const DepthwiseConv2d&, Rounding rounding,
                                              Operands in, const TensorType& out) {
  return verify_weight_layer(in, out, kLayer, rounding);
}

template <>
void OpDef<DepthwiseConv2d>::run_float(const DepthwiseConv2d& op, Inputs in, Tensor& out) {
  const Shape& filter = in[1]->shape();
  int64_t in_c = in[0]->shape()[3];
  FloatConv conv = float_conv(in, out, in_c, op.window, op.act);
  conv.filter_x = filter[3];
  conv.filter_y = filter[2] * filter[3];
  conv.filter_out = 1;
  conv.filter_group = filter[3] / in_c;
  run_float_conv(conv, in, out);
}

template <>
void OpDef<DepthwiseConv2d>::run_integer(const DepthwiseConv2d& op, Rounding rounding, Inputs in,
                                         Tensor& out) {
  if (out.dtype() == DType::kS16) return run_s16(op, rounding, in, out);
  auto packed = node_cached<PackedDepthwise>([&] { return pack(in, out); });
  const Shape &filter = in[1]->shape(), &dst = out.shape();
  int64_t in_c = in[0]->shape()[3], out_c = dst[3];
  CentredImage image = centre_image(*in[0], tensor_zero_point(in[0]->type()), op.window);
  ClampRange range = activation_range(op.act, out.type());
  int32_t out_zero = tensor_zero_point(out.type());
  std::vector<int32_t> acc(static_cast<size_t>(out_c));
  int8_t* to = out.mutable_data<int8_t>().data();
  for (int64_t pixel = 0; pixel < dst[0] * dst[1] * dst[2]; ++pixel) {
    int64_t ox = pixel % dst[2], oy = pixel / dst[2] % dst[1], n = pixel / (dst[2] * dst[1]);
    std::copy(packed->channels.bias.begin(), packed->channels.bias.end(), acc.begin());
    const int16_t* tap = packed->taps.data();
    for (int64_t ky = 0; ky < filter[1]; ++ky)
      for (int64_t kx = 0; kx < filter[2]; ++kx) {
        const int16_t* src = image.at(n, oy * op.window.stride_h + ky * op.window.dilation_h,
                                      ox * op.window.stride_w + kx * op.window.dilation_w);
        add_tap(src, tap, in_c, out_c / in_c, acc.data());
        tap += out_c;
      }
    for (size_t oc = 0; oc < acc.size(); ++oc)
      *to++ = rescale_s8(acc[oc], packed->channels.requants[oc], rounding, out_zero, range);
  }
}

template <>
QuantRule OpDef<DepthwiseConv2d>::quant_rule(const DepthwiseConv2d&) {
  return weight_quant_rule(kLayer);
}

template <>
int64_t OpDef<DepthwiseConv2d>::macs(const DepthwiseConv2d&, Operands in, const TensorType& out) {
  const Shape& filter = in[1].type->shape;
  return elem_count(out.shape) * filter[1] * filter[2];
}

template <>
Result<std::vector<KernelRequest>> OpDef<DepthwiseConv2d>::lower(const DepthwiseConv2d& op,
                                                                 Rounding rounding, Operands in,
                                                                 const TensorType& out) {
  KernelRequest request =
      conv_request("depthwise_conv2d", in, out, op.window, op.act, rounding, kLayer);
  request.fields.emplace_back("channel_multiplier", out.shape[3] / in[0].type->shape[3]);
  request.macs = macs(op, in, out);
  return std::vector{std::move(request)};
}

}  // namespace nibble
