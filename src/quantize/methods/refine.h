// Refining methods: what each gets of the layer it works on, and changes of it. Inside quantize/
// only; methods.def lists them, prepare.h has the preparing ones.
#pragma once

#include "quantize/methods/real_layer.h"
#include "quantize/options.h"
#include "quantize/parameters.h"
#include "quantize/stage_time.h"
#include "quantize/value_statistics.h"

namespace nibble {

// One layer of the integer graph, in the order of the graph: what stands before it is final.
struct LayerContext {
  const Graph& real;
  Graph& integer;
  const RealLayer& layer;  // of the real graph
  int node = -1;           // of the integer graph
  const WeightSettings& settings;
  const MethodOptions& options;
  uint64_t seed = 0;
  // The layer's operand, a tensor per sample: as the float network has it; as the integer network
  // has it, in real numbers.
  std::vector<Tensor> real_inputs, inputs;
  // Of the real graph's values, from batch norms; empty where they say nothing.
  const ValueStatistics& statistics;

  const Tensor& real_weight() const { return *real.value(layer.weight).constant; }
  Tensor& weight();  // integers
  const Tensor& weight() const;
  float in_scale() const;
  // These integers, with the real bias in their scales.
  void set_weight(Tensor weight);
  // Adds to the bias of each output channel, as far as an accumulator has room for it. Nothing if
  // the layer has no bias: an integer graph as it stands has no place for one.
  bool has_bias() const;
  void add_to_bias(std::span<const double> amounts);
  // Parameters of this weight with a share of their scales: as much as the settings allow, and no
  // less than what leaves room for the bias in 32 bits.
  QuantParams narrowed(const QuantParams& params, double share) const;
};

// One function per row of methods.def; each changes context.integer, and nothing where it finds
// nothing to change.
//
// clip_weights: weight clipping search: per output channel the share of the range, from 100 % down
// to 30 %, for which the layer's output has the least squared error over the samples, the least
// (w - w_q)^T H (w - w_q), H = E[x x^T]. After Choukroun et al. 2019, whose objective is the
// weights' own error.
// squant: SQuant (Guo et al. 2022): rounding flips that make the sum of the rounding errors of each
// kernel, then of each output channel, at most half a step. Needs no data.
// gptq: GPTQ (Frantar et al. 2023): weights are rounded one by one, the error of each made up for
// by those that are left, w_k -= (w_j - q_j) / U_jj * U_jk with U the Cholesky factor of H^-1. From
// there, and from nearest rounding, each weight in turn takes the best integer with all others as
// they are, until none moves (coordinate descent, as QuantEase has it: Behdin et al. 2023). Done
// for the range of each output channel and for shares of it down to 40 %, what is beyond being
// clipped and made up for as well; that of the least (w - w_q)^T H (w - w_q) stays.
// gptaq: the objective of GPTAQ (Li et al. 2025): outputs near those of the float network although
// the inputs x are those that the integer layers before give in place of x_r. Least squares say
// which weights come nearest before they are rounded, and gptq rounds these:
//   E[(W x_r - W_q x)^2] = (W* - W_q) H (W* - W_q)^T + what no W_q changes,
//   W* = W + W E[(x_r - x) x^T] H^-1.
// (The paper adds the same correction column by column while it rounds.)
// correct_bias: bias correction (Nagel et al. 2019, section 4.2, empirical): b -= E[W_q x_q] -
// E[W x] per output channel.
// correct_bias_analytic: the same without data (section 4.2.1): b -= (W_q - W) E[x], where E[x] of
// an input channel follows from the batch norms before it (value_statistics.h), and of the
// network's inputs from the samples. Layers of whose input neither tells stay as they are.
#define NIBBLE_REFINING(enumerator, name, function, reads, what) \
  Status function(LayerContext& context);
#include "quantize/methods/methods.def"
#undef NIBBLE_REFINING

// Applies the refining methods of `options` to all layers of `integer`, which is what `real`
// became. `statistics`: as prepare() left them. `times`: how long each took is added, and what
// running the samples up to each layer took for all of them. Error: a method needs statistics, and
// there are none.
Status refine(const Graph& real, Graph& integer, const CalibrationData& data,
              const QuantizeOptions& options, const LayerStatistics& statistics,
              std::vector<StageTime>* times = nullptr);

}  // namespace nibble
