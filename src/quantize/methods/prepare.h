// Preparing methods: each rewrites the float graph before it is quantized, so that it computes the
// same with weights and activations that are easier to quantize. One file per method; methods.def
// lists them, refine.h has those that work on the integer graph. Inside quantize/ only.
#pragma once

#include "quantize/methods/channel_stats.h"
#include "quantize/options.h"
#include "quantize/stage_time.h"

namespace nibble {

struct PrepareContext {
  const CalibrationData& data;
  const MethodOptions& options;
  const LayerSettings& all;
  const std::vector<LayerRule>& rules;
  // What batch norms say of the graph as it is now: a method that changes values changes them too.
  // Null: nothing is known.
  LayerStatistics* statistics = nullptr;
};

// One function per row of methods.def.
//
// equalize: cross-layer equalization (Nagel et al. 2019, section 4.1): channel i between two layers
// with weight ranges r1_i (of what writes it) and r2_i (of what reads it) is divided by
//   s_i = sqrt(r1_i / r2_i),
// so that both become sqrt(r1_i r2_i); repeated until no s is far from 1. Through depthwise layers,
// pools, sums and concatenations; bounded activations as scale_groups.h says, with the largest
// values of the calibration set, or beta + 6 |gamma| where its inputs are synthetic.
//
// absorb_bias: high-bias absorption (section 4.1.3): what a channel behind a relu always has,
//   c = max(0, min over the calibration set of x),
// or, where there are no inputs but synthetic ones and batch norms say what the channel is before
// its relu (equation 14), c = max(0, beta - 3 |gamma|), which cuts off one value in 740. It moves
// into the next layer: b1 - c, and b2 + W2 c. Only where the next layers have no padding, which
// would be zeros that stand for c.
//
// smooth: SmoothQuant (Xiao et al. 2023, equation 4): channel j of an activation is divided by
//   s_j = max|X_j|^a / max|W_j|^(1-a),  a = options.smooth_share,
// which moves what is hard to quantize from activations to weights.
//
// split_channels: outlier channel splitting (Zhao et al. 2019): the input channels with the largest
// weights, a share options.split_share of all, are written twice and read with half the weight, so
// that the range of the weights halves.
#define NIBBLE_PREPARING(enumerator, name, function, reads, what) \
  Status function(Graph& graph, const PrepareContext& context);
#include "quantize/methods/methods.def"
#undef NIBBLE_PREPARING

// The preparing methods of `options`, in their order. `statistics`, if not null, is set to
// data.statistics as they are for the changed graph; empty where there are none. `times`: how long
// each took is added.
Status prepare(Graph& graph, const CalibrationData& data, const QuantizeOptions& options,
               LayerStatistics* statistics = nullptr, std::vector<StageTime>* times = nullptr);

}  // namespace nibble
