// conv2d: dst[oy][ox][o] = act(bias[o] + sum over ky kx ic of src[iy][ix][ic] *
// filter[o][ky][kx][ic]), by groups. Integers as TensorFlow Lite's per-channel int8 convolution:
// doc/quantization.md.
#include <algorithm>

#include "ops/conv.h"
#include "ops/integer_dot.h"
#include "ops/run_context.h"

namespace nibble {
namespace {

constexpr WeightLayer kLayer{0, false};

// Weights as the host's loops read them: the rows of a group follow one another, padded.
struct PackedConv {
  std::vector<int16_t> rows;
  int64_t row_len = 0;
  ChannelConstants channels;
};

std::shared_ptr<PackedConv> pack(Inputs in, const Tensor& out) {
  auto packed = std::make_shared<PackedConv>();
  const Tensor& filter = *in[1];
  int64_t out_c = filter.shape()[0];
  int64_t taps = filter.size() / out_c;
  packed->rows = pad_rows(centred_weights(filter).data(), out_c, taps);
  packed->row_len = dot_padded(taps);
  packed->channels = channel_constants(in, out.type(), kLayer);
  return packed;
}

// The same for s16 activations.
struct PackedWideConv {
  std::vector<WideRows> groups;
  ChannelConstants channels;
};

std::shared_ptr<PackedWideConv> pack_wide(const Conv2d& op, Inputs in, const Tensor& out) {
  auto packed = std::make_shared<PackedWideConv>();
  const Tensor& filter = *in[1];
  int64_t group_out = filter.shape()[0] / op.groups;
  int64_t taps = filter.size() / filter.shape()[0];
  const std::vector<int16_t> weights = centred_weights(filter);
  for (int64_t group = 0; group < op.groups; ++group)
    packed->groups.emplace_back(weights.data() + group * group_out * taps, group_out, taps);
  packed->channels = channel_constants(in, out.type(), kLayer);
  return packed;
}

// The window's elements of one group, in the order of a filter row.
void gather_patch(const CentredImage& image, const Window& window, int64_t n, int64_t y, int64_t x,
                  int64_t k_h, int64_t k_w, int64_t first_channel, int64_t channels,
                  int16_t* patch) {
  for (int64_t ky = 0; ky < k_h; ++ky)
    for (int64_t kx = 0; kx < k_w; ++kx) {
      const int16_t* src =
          image.at(n, y + ky * window.dilation_h, x + kx * window.dilation_w) + first_channel;
      patch = std::copy_n(src, channels, patch);
    }
}

void run_s16(const Conv2d& op, Rounding rounding, Inputs in, Tensor& out) {
  auto packed = node_cached<PackedWideConv>([&] { return pack_wide(op, in, out); });
  const Shape &filter = in[1]->shape(), &dst = out.shape();
  CentredImage image = centre_image(*in[0], 0, op.window);
  WideOutput output(in, out.type(), op.act, rounding, packed->channels);
  int64_t group_in = filter[3], group_out = filter[0] / op.groups;
  std::vector<int16_t> patch(static_cast<size_t>(dot_padded(filter[1] * filter[2] * group_in)), 0);
  int16_t* to = out.mutable_data<int16_t>().data();
  for (int64_t pixel = 0; pixel < dst[0] * dst[1] * dst[2]; ++pixel) {
    int64_t ox = pixel % dst[2], oy = pixel / dst[2] % dst[1], n = pixel / (dst[2] * dst[1]);
    std::vector<int64_t> acc = packed->channels.bias;
    for (int64_t group = 0; group < op.groups; ++group) {
      gather_patch(image, op.window, n, oy * op.window.stride_h, ox * op.window.stride_w, filter[1],
                   filter[2], group * group_in, group_in, patch.data());
      packed->groups[static_cast<size_t>(group)].add_products(patch.data(),
                                                              acc.data() + group * group_out);
    }
    to = output.write(acc, to);
  }
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Conv2d>::infer(const Conv2d& op, Operands in) {
  NIBBLE_TRY(check_conv_operands(in));
  const TensorType &src = *in[0].type, &filter = *in[1].type;
  if (op.groups < 1 || src.shape[3] % op.groups != 0 || filter.shape[0] % op.groups != 0)
    return input_error(fmt::format("{} groups do not divide {} input and {} output channels",
                                   op.groups, src.shape[3], filter.shape[0]));
  if (filter.shape[3] != src.shape[3] / op.groups)
    return input_error(fmt::format("filter {} takes {} input channels, src {} in {} group{} has {}",
                                   format_shape(filter.shape), filter.shape[3],
                                   format_shape(src.shape), op.groups, op.groups == 1 ? "" : "s",
                                   src.shape[3] / op.groups));
  return infer_conv(in, filter.shape[0], op.window);
}

template <>
Status OpDef<Conv2d>::verify_integer(const Conv2d&, Rounding rounding, Operands in,
                                     const TensorType& out) {
  return verify_weight_layer(in, out, kLayer, rounding);
}

template <>
void OpDef<Conv2d>::run_float(const Conv2d& op, Inputs in, Tensor& out) {
  const Shape& filter = in[1]->shape();
  FloatConv conv = float_conv(in, out, op.groups, op.window, op.act);
  conv.filter_x = filter[3];
  conv.filter_y = filter[2] * filter[3];
  conv.filter_out = filter[1] * conv.filter_y;
  conv.filter_group = filter[0] / op.groups * conv.filter_out;
  run_float_conv(conv, in, out);
}

template <>
void OpDef<Conv2d>::run_integer(const Conv2d& op, Rounding rounding, Inputs in, Tensor& out) {
  if (out.dtype() == DType::kS16) return run_s16(op, rounding, in, out);
  auto packed = node_cached<PackedConv>([&] { return pack(in, out); });
  const Shape &filter = in[1]->shape(), &dst = out.shape();
  CentredImage image = centre_image(*in[0], tensor_zero_point(in[0]->type()), op.window);
  ClampRange range = activation_range(op.act, out.type());
  int32_t out_zero = tensor_zero_point(out.type());
  int64_t group_in = filter[3], group_out = filter[0] / op.groups;
  std::vector<int16_t> patch(static_cast<size_t>(packed->row_len), 0);
  std::vector<int32_t> acc(static_cast<size_t>(filter[0]));
  int8_t* to = out.mutable_data<int8_t>().data();
  for (int64_t pixel = 0; pixel < dst[0] * dst[1] * dst[2]; ++pixel) {
    int64_t ox = pixel % dst[2], oy = pixel / dst[2] % dst[1], n = pixel / (dst[2] * dst[1]);
    std::copy(packed->channels.bias.begin(), packed->channels.bias.end(), acc.begin());
    for (int64_t group = 0; group < op.groups; ++group) {
      gather_patch(image, op.window, n, oy * op.window.stride_h, ox * op.window.stride_w, filter[1],
                   filter[2], group * group_in, group_in, patch.data());
      dot_rows(patch.data(), packed->rows.data() + group * group_out * packed->row_len,
               packed->row_len, group_out, acc.data() + group * group_out);
    }
    for (size_t oc = 0; oc < acc.size(); ++oc)
      *to++ = rescale_s8(acc[oc], packed->channels.requants[oc], rounding, out_zero, range);
  }
}

template <>
QuantRule OpDef<Conv2d>::quant_rule(const Conv2d&) {
  return weight_quant_rule(kLayer);
}

template <>
int64_t OpDef<Conv2d>::macs(const Conv2d&, Operands in, const TensorType& out) {
  const Shape& filter = in[1].type->shape;
  return elem_count(out.shape) * filter[1] * filter[2] * filter[3];
}

template <>
Result<std::vector<KernelRequest>> OpDef<Conv2d>::lower(const Conv2d& op, Rounding rounding,
                                                        Operands in, const TensorType& out) {
  const Shape &src = in[0].type->shape, &filter = in[1].type->shape;
  const Shape pixel = {src[0], 1, 1, src[3]};
  // A pixel by one tap, as behind a global pool, is a dense layer.
  const bool padded = op.window.pad_top > 0 || op.window.pad_left > 0;
  if (!padded && src == pixel && filter == Shape{out.shape[3], 1, 1, src[3]} &&
      out.shape[1] * out.shape[2] == 1) {
    KernelRequest request = weight_request("dense", in, out, op.act, rounding, kLayer);
    request.fields.insert(request.fields.end(),
                          {{"rows", src[0]}, {"in_len", src[3]}, {"out_len", out.shape[3]}});
    request.macs = macs(op, in, out);
    return std::vector{std::move(request)};
  }
  KernelRequest request = conv_request("conv2d", in, out, op.window, op.act, rounding, kLayer);
  request.fields.emplace_back("out_c", out.shape[3]);
  request.fields.emplace_back("groups", op.groups);
  request.macs = macs(op, in, out);
  return std::vector{std::move(request)};
}

}  // namespace nibble
