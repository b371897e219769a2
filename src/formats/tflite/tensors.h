// Element types, quantization and constants of TFLite as those of the graph. Unsigned 8-bit becomes
// signed by subtracting 128 from values and zero points, which changes no real number. Inside
// formats/tflite only.
#pragma once

#include "formats/tflite/model_file.h"

namespace nibble {

// Type of an activation: f32, or an integer with one scale and zero point. The errors name the
// tensor.
Result<TensorType> activation_type(const TfliteTensor& tensor);

// A constant that an operator treats as it treats activations (the second operand of an addition).
Result<Tensor> activation_constant(const TfliteTensor& tensor);

// A filter or matrix: f32, or integers that are symmetric (zero point 0) per tensor or along
// `channel_axis`.
Result<Tensor> weight_constant(const TfliteTensor& tensor, int channel_axis);

// A bias of `channels` elements: f32, or s32/s64 whose scale is `src_scale` times that of the
// weights.
Result<Tensor> float_bias(const TfliteTensor& tensor);
Result<Tensor> integer_bias(const TfliteTensor& tensor, float src_scale,
                            const QuantParams& weights);

}  // namespace nibble
