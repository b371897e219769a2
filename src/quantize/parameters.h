// From ranges to quantization parameters: activations, weights, biases. Inside quantize/ only.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "quantize/observers/observer.h"

namespace nibble {

// Asymmetric, per tensor: scale = (max - min) / (q_max - q_min), zero_point = q_min - min / scale
// rounded, so that real zero is on the grid (Jacob et al. 2018, section 3). A range of nothing gets
// scale 1.
QuantParams activation_params(RealRange range, int bits);

// Symmetric, per tensor: scale = max(max, -min) / q_max, zero point 0.
QuantParams symmetric_activation_params(RealRange range, int bits);

// Symmetric weights: scale = max|w| / q_max per channel of `axis` (or one, axis = -1), zero point
// 0, q_min = -q_max. A channel of zeros takes the tensor's largest scale: any would do, but a tiny
// one would overflow the bias.
QuantParams weight_params(const Tensor& weight, int axis, int bits);

// Widens weight scales until every quantized bias, together with the largest sum the layer's taps
// can make, stays within 32 bits: bias / (in_scale * scale) + taps * q_max * 2^bits < 2^31. taps:
// products per output.
void widen_for_bias(QuantParams& weight, const Tensor& bias, float in_scale, int64_t taps);

// round(bias / (in_scale * weight_scale)) as s32, with these scales as its parameters.
Tensor quantize_bias(const Tensor& bias, float in_scale, const QuantParams& weight);

// The same as s64 for the 16x8 scheme, whose accumulators have 64 bits; at most 2^46 in magnitude.
Tensor quantize_wide_bias(const Tensor& bias, float in_scale, const QuantParams& weight);

}  // namespace nibble
