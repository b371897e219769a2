// Tables of unary functions on s8.
#include "ops/lookup.h"

#include <algorithm>
#include <array>

#include "ops/checks.h"

namespace nibble {

ScalarFunction nearest_function(std::function<double(double)> real, const TensorType& in,
                                const TensorType& out) {
  double in_scale = tensor_scale(in), out_scale = tensor_scale(out);
  int32_t in_zero = tensor_zero_point(in), out_zero = tensor_zero_point(out);
  double low = out.quant->q_min, high = out.quant->q_max;
  return [=](int32_t q) {
    double value = real(in_scale * (q - in_zero));
    return static_cast<int32_t>(std::clamp(std::round(value / out_scale) + out_zero, low, high));
  };
}

ScalarFunction rescale_function(const TensorType& in, const TensorType& out, Rounding rounding,
                                ClampRange range) {
  Requant requant =
      make_requant(static_cast<double>(tensor_scale(in)) / static_cast<double>(tensor_scale(out)));
  int32_t in_zero = tensor_zero_point(in), out_zero = tensor_zero_point(out);
  return [=](int32_t q) -> int32_t {
    return rescale(q - in_zero, requant, rounding, out_zero, range);
  };
}

Status check_rescale(const TensorType& in, const TensorType& out, Rounding rounding) {
  double factor = static_cast<double>(tensor_scale(in)) / static_cast<double>(tensor_scale(out));
  NIBBLE_TRY(check_factor(factor, "input scale / output scale"));
  int64_t reach = in.dtype == DType::kS8 ? 255 : max_abs_centred(in);
  return check_accumulator(reach, make_requant(factor), rounding, "");
}

Tensor lookup_table(const ScalarFunction& function) {
  std::array<int8_t, 256> table{};
  for (int32_t q = -128; q <= 127; ++q)
    table[static_cast<uint8_t>(q)] = static_cast<int8_t>(function(q));
  return Tensor::of<int8_t>({256}, DType::kS8, table);
}

void run_lookup(const ScalarFunction& function, const Tensor& in, Tensor& out) {
  if (in.dtype() == DType::kS16) {
    auto wide_src = in.data<int16_t>();
    auto wide_dst = out.mutable_data<int16_t>();
    for (size_t i = 0; i < wide_src.size(); ++i)
      wide_dst[i] = static_cast<int16_t>(function(wide_src[i]));
    return;
  }
  auto src = in.data<int8_t>();
  auto dst = out.mutable_data<int8_t>();
  // Below 256 elements filling a table would be the longer way.
  if (src.size() < 256) {
    for (size_t i = 0; i < src.size(); ++i) dst[i] = static_cast<int8_t>(function(src[i]));
    return;
  }
  Tensor entries = lookup_table(function);
  auto table = entries.data<int8_t>();
  for (size_t i = 0; i < src.size(); ++i) dst[i] = table[static_cast<uint8_t>(src[i])];
}

KernelRequest lookup_request(const ScalarFunction& function, const TensorType& in) {
  int64_t len = elem_count(in.shape);
  KernelRequest request;
  request.family = "lookup_s8";
  request.fields = {{"rows", 1}, {"row_len", len}, {"src_stride", len}, {"dst_stride", len}};
  request.constants.emplace_back("table", lookup_table(function));
  request.in_place = true;
  return request;
}

KernelRequest rescale_s16_request(const TensorType& in, const TensorType& out, Rounding rounding,
                                  ClampRange range) {
  int64_t len = elem_count(in.shape);
  Requant requant =
      make_requant(static_cast<double>(tensor_scale(in)) / static_cast<double>(tensor_scale(out)));
  KernelRequest request;
  request.family = "requantize_s16";
  request.fields = {{"rows", 1},
                    {"row_len", len},
                    {"src_stride", len},
                    {"dst_stride", len},
                    {"multiplier", requant.multiplier},
                    {"exponent", requant.exponent},
                    {"act_min", range.min},
                    {"act_max", range.max},
                    {"rounding", rounding_code(rounding)}};
  request.in_place = true;
  return request;
}

Result<std::vector<TensorType>> infer_unary(Operands in) {
  NIBBLE_TRY(check_operands(in, {"src"}));
  const TensorType& src = *in[0].type;
  return std::vector<TensorType>{{src.shape, src.dtype, std::nullopt}};
}

Status verify_unary_s8(Operands in, const TensorType& out) {
  NIBBLE_TRY(check_s8(*in[0].type, "src"));
  return check_s8(out, "the output");
}

}  // namespace nibble
