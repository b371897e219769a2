// Operators that map every element by itself. On s8 each of them is a table of 256 entries, which
// the compiler fills from the operator's exact integer definition. Inside ops/ only.
#pragma once

#include <functional>

#include "ops/arithmetic.h"
#include "ops/ops.h"

namespace nibble {

// An integer element to an integer element, both within their types' ranges.
using ScalarFunction = std::function<int32_t(int32_t)>;

// q -> the output value nearest to real(scale_in * (q - zero_in)), ties away from zero, clamped to
// the output's range.
ScalarFunction nearest_function(std::function<double(double)> real, const TensorType& in,
                                const TensorType& out);
// q -> the same real value on the output's scale, within `range`: out = clamp((q - z_in) s_in /
// s_out + z_out).
ScalarFunction rescale_function(const TensorType& in, const TensorType& out, Rounding rounding,
                                ClampRange range);
// What rescale_function demands of its types.
Status check_rescale(const TensorType& in, const TensorType& out, Rounding rounding);

// s8[256], the entry of q at index uint8(q), as kernels/lookup/lookup_s8.h reads it.
Tensor lookup_table(const ScalarFunction& function);
// out[i] = function(in[i]) on s8 or s16.
void run_lookup(const ScalarFunction& function, const Tensor& in, Tensor& out);
// One call of lookup_s8 over the whole tensor, in place where the plan likes.
KernelRequest lookup_request(const ScalarFunction& function, const TensorType& in);

// infer of a unary operator: the output has the shape and element type of src, which is f32 or an
// integer.
Result<std::vector<TensorType>> infer_unary(Operands in);
Status verify_unary_s8(Operands in, const TensorType& out);
// s16: dst = clamp(src s_in / s_out) by requantize_s16, in place where the plan likes.
KernelRequest rescale_s16_request(const TensorType& in, const TensorType& out, Rounding rounding,
                                  ClampRange range);

template <class Real>
void run_unary_float(const Tensor& in, Tensor& out, Real&& real) {
  auto src = in.data<float>();
  auto dst = out.mutable_data<float>();
  for (size_t i = 0; i < src.size(); ++i) dst[i] = real(src[i]);
}

}  // namespace nibble
