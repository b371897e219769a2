// dense: dst[row][o] = act(bias[o] + sum over k of src[row][k] * filter[o][k]); every extent of src
// but the last counts rows. Integers as TensorFlow Lite's int8 fully connected, per tensor and per
// channel.
#include <algorithm>

#include "ops/checks.h"
#include "ops/float_conv.h"
#include "ops/integer_dot.h"
#include "ops/run_context.h"

namespace nibble {
namespace {

constexpr WeightLayer kLayer{0, true};

struct PackedDense {
  std::vector<int16_t> rows;
  ChannelConstants channels;
};

std::shared_ptr<PackedDense> pack(Inputs in, const Tensor& out) {
  auto packed = std::make_shared<PackedDense>();
  const Tensor& filter = *in[1];
  packed->rows = pad_rows(centred_weights(filter).data(), filter.shape()[0], filter.shape()[1]);
  packed->channels = channel_constants(in, out.type(), kLayer);
  return packed;
}

struct PackedWideDense {
  WideRows rows;
  ChannelConstants channels;
};

void run_s16(const Dense& op, Rounding rounding, Inputs in, Tensor& out) {
  const Tensor& filter = *in[1];
  int64_t in_len = filter.shape()[1];
  auto packed = node_cached<PackedWideDense>([&] {
    return std::make_shared<PackedWideDense>(
        PackedWideDense{WideRows(centred_weights(filter).data(), filter.shape()[0], in_len),
                        channel_constants(in, out.type(), kLayer)});
  });
  WideOutput output(in, out.type(), op.act, rounding, packed->channels);
  std::vector<int16_t> padded(static_cast<size_t>(dot_padded(in_len)), 0);
  const int16_t* src = in[0]->data<int16_t>().data();
  int16_t* to = out.mutable_data<int16_t>().data();
  for (int64_t row = 0; row < in[0]->size() / in_len; ++row, src += in_len) {
    std::copy_n(src, in_len, padded.begin());
    std::vector<int64_t> acc = packed->channels.bias;
    packed->rows.add_products(padded.data(), acc.data());
    to = output.write(acc, to);
  }
}

}  // namespace

template <>
Result<std::vector<TensorType>> OpDef<Dense>::infer(const Dense&, Operands in) {
  NIBBLE_TRY(check_operands(in, {"src", "filter", "[bias]"}));
  const TensorType &src = *in[0].type, &filter = *in[1].type;
  NIBBLE_TRY(check_min_rank(src, 1, "src"));
  NIBBLE_TRY(check_rank(filter, 2, "filter"));
  NIBBLE_TRY(check_same_kind(src, "src", filter, "filter"));
  if (src.shape.back() != filter.shape[1])
    return input_error(fmt::format("filter {} takes {} values, src {} has {} in its last extent",
                                   format_shape(filter.shape), filter.shape[1],
                                   format_shape(src.shape), src.shape.back()));
  if (has_operand(in, 2)) NIBBLE_TRY(check_bias_operand(*in[2].type, filter.shape[0], filter));
  Shape shape = src.shape;
  shape.back() = filter.shape[0];
  NIBBLE_TRY(check_extents(shape, "output"));
  return std::vector{TensorType{std::move(shape), src.dtype, std::nullopt}};
}

template <>
Status OpDef<Dense>::verify_integer(const Dense&, Rounding rounding, Operands in,
                                    const TensorType& out) {
  return verify_weight_layer(in, out, kLayer, rounding);
}

template <>
void OpDef<Dense>::run_float(const Dense& op, Inputs in, Tensor& out) {
  const Shape& filter = in[1]->shape();
  // A convolution of 1 x 1 over an image of one column.
  FloatConv conv;
  conv.in_h = conv.out_h = in[0]->size() / filter[1];
  conv.in_c = filter[1];
  conv.out_c = filter[0];
  conv.act = op.act;
  conv.filter_out = conv.filter_x = conv.filter_y = filter[1];
  conv.filter_group = filter[0] * filter[1];
  run_float_conv(conv, in, out);
}

template <>
void OpDef<Dense>::run_integer(const Dense& op, Rounding rounding, Inputs in, Tensor& out) {
  if (out.dtype() == DType::kS16) return run_s16(op, rounding, in, out);
  auto packed = node_cached<PackedDense>([&] { return pack(in, out); });
  const Shape& filter = in[1]->shape();
  int32_t in_zero = tensor_zero_point(in[0]->type()), out_zero = tensor_zero_point(out.type());
  ClampRange range = activation_range(op.act, out.type());
  std::vector<int16_t> centred(static_cast<size_t>(dot_padded(filter[1])), 0);
  std::vector<int32_t> acc(static_cast<size_t>(filter[0]));
  const int8_t* src = in[0]->data<int8_t>().data();
  int8_t* to = out.mutable_data<int8_t>().data();
  for (int64_t row = 0; row < in[0]->size() / filter[1]; ++row) {
    for (int64_t k = 0; k < filter[1]; ++k)
      centred[static_cast<size_t>(k)] = static_cast<int16_t>(*src++ - in_zero);
    std::copy(packed->channels.bias.begin(), packed->channels.bias.end(), acc.begin());
    dot_rows(centred.data(), packed->rows.data(), static_cast<int64_t>(centred.size()), filter[0],
             acc.data());
    for (size_t o = 0; o < acc.size(); ++o)
      *to++ = rescale_s8(acc[o], packed->channels.requants[o], rounding, out_zero, range);
  }
}

template <>
QuantRule OpDef<Dense>::quant_rule(const Dense&) {
  return weight_quant_rule(kLayer);
}

template <>
int64_t OpDef<Dense>::macs(const Dense&, Operands in, const TensorType& out) {
  return elem_count(out.shape) * in[1].type->shape[1];
}

template <>
Result<std::vector<KernelRequest>> OpDef<Dense>::lower(const Dense& op, Rounding rounding,
                                                       Operands in, const TensorType& out) {
  const Shape& filter = in[1].type->shape;
  KernelRequest request = weight_request("dense", in, out, op.act, rounding, kLayer);
  request.fields.insert(request.fields.end(), {{"rows", elem_count(in[0].type->shape) / filter[1]},
                                               {"in_len", filter[1]},
                                               {"out_len", filter[0]}});
  request.macs = macs(op, in, out);
  return std::vector{std::move(request)};
}

}  // namespace nibble
