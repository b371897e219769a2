// From ranges to quantization parameters: activations, weights, biases. Inside quantize/ only.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "ops/ops.h"
#include "quantize/observers/observer.h"
#include "quantize/settings.h"

namespace nibble {

// The smallest scale of the kind that is at least `scale`: 2^k; b / 2^c with b in [128, 255].
double allowed_scale(double scale, Scales scales);

// From the least to the largest value, zero included.
RealRange range_of(const Tensor& real);

// s8 up to 8 bits, else s16.
DType activation_dtype(const ActivationSettings& settings);
// Per tensor. kAsymmetric: scale = (max - min) / (q_max - q_min), zero_point = q_min - min / scale
// rounded, so that real zero is on the grid (Jacob et al. 2018, section 3). kSymmetric: scale =
// max(max, -min) / q_max, zero point 0. kUnsigned: scale = max / (q_max - q_min), zero point q_min.
// More than 8 bits are symmetric. A range of nothing gets scale 1.
QuantParams activation_params(RealRange range, const ActivationSettings& settings);

// One scale and zero point per index of `axis`, or one in all (granularity kTensor; axis -1). The
// range is that of the weights, or its part of least squared error (Sung et al. 2015): searched in
// steps of one percent. A channel of zeros takes the tensor's largest scale: any would do, but a
// tiny one would overflow the bias.
QuantParams weight_params(const Tensor& weight, int axis, const WeightSettings& settings);
// The weights as integers of these parameters. `seed`: for stochastic rounding.
Tensor quantize_weights(const Tensor& weight, const QuantParams& params,
                        const WeightSettings& settings, uint64_t seed);

// The largest magnitude of a quantized bias that leaves room in 32 bits for the largest sum that
// the layer's taps can make with 8-bit activations, and for the rescaling. taps: products per
// output.
double bias_room(const QuantParams& weight, int64_t taps);
// Widens weight scales until every quantized bias, bias / (in_scale * scale), is within bias_room.
void widen_for_bias(QuantParams& weight, const Tensor& bias, float in_scale, int64_t taps);

// round(bias / (in_scale * weight_scale)) as s32, with these scales as its parameters.
Tensor quantize_bias(const Tensor& bias, float in_scale, const QuantParams& weight);

// The same as s64 for the 16x8 scheme, whose accumulators have 64 bits; at most 2^46 in magnitude.
Tensor quantize_wide_bias(const Tensor& bias, float in_scale, const QuantParams& weight);

}  // namespace nibble
