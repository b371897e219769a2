// Checks that many operators share: number, rank and element type of operands, quantization of
// activations, and the proof that a layer's accumulator stays within 32 bits. Inside ops/ only.
// Texts speak of operands by name; the caller (ops.cc) puts the node's name and operator in front.
#pragma once

#include <initializer_list>
#include <string_view>

#include "ops/arithmetic.h"
#include "ops/ops.h"

namespace nibble {

// The operands in order, "[bias]" for one that may be absent: check_operands(in, {"src", "filter",
// "[bias]"}).
Status check_operands(Operands in, std::initializer_list<std::string_view> names);
bool has_operand(Operands in, size_t index);

Status check_rank(const TensorType& type, size_t rank, std::string_view name);
Status check_min_rank(const TensorType& type, size_t rank, std::string_view name);
// All f32, or all integers: an operator does not mix them.
Status check_same_kind(const TensorType& a, std::string_view a_name, const TensorType& b,
                       std::string_view b_name);
// Every extent is at least 1 and the elements number less than 2^30, so that later sizes cannot
// overflow.
Status check_extents(const Shape& shape, std::string_view name);

// Extents of a sliding window over one image axis: kernel extent k. Errors: stride or dilation
// under 1, negative or absurd padding, a window larger than the padded image.
Result<int64_t> window_extent(int64_t in, int64_t k, int64_t stride, int64_t dilation,
                              int64_t pad_before, int64_t pad_after, std::string_view axis);
// {out_h, out_w} of a window over src [N,H,W,C].
Result<std::pair<int64_t, int64_t>> window_extents(const Shape& src, int64_t k_h, int64_t k_w,
                                                   const Window& window);

// Integer activations: s8, quantized per tensor with a range inside [-128, 127].
Status check_s8(const TensorType& type, std::string_view name);
// Integer activations of either scheme: s8, or s16 with zero point 0.
Status check_activation(const TensorType& type, std::string_view name);
// check_activation for both, of one element type.
Status check_activations(const TensorType& src, const TensorType& out);
// FAMILY_s8 or FAMILY_s16: the kernels that take activations of this type.
std::string family_of(std::string_view base, const TensorType& type);
// As check_s8 for any integer type of at most 32 bits.
Status check_per_tensor(const TensorType& type, std::string_view name);
// Same element type, scale and zero point (pools, reshapes, pads).
Status check_same_quant(const TensorType& src, const TensorType& out);
// The operand must be known when compiling.
Status check_constant(const OperandInfo& operand, std::string_view name);

// A bias [channels] of the filter's kind.
Status check_bias_operand(const TensorType& bias, int64_t channels, const TensorType& filter);

// max |q - zero_point| over the type's range.
int64_t max_abs_centred(const TensorType& type);
// scale_in / scale_out and the like: finite, and representable (under 2^30).
Status check_factor(double factor, std::string_view what);
// A value of magnitude up to `bound`, shifted left by a positive exponent under tflite rounding,
// must fit 32 bits.
Status check_accumulator(int64_t bound, Requant requant, Rounding rounding, std::string_view where);

// --- Layers with weights: operands src, filter, [bias].
// Which axis of the filter counts output channels, and how the rescaling factor is formed.
struct WeightLayer {
  int channel_axis = 0;
  // TFLite forms the factor of a per-tensor dense layer from the float product of the scales.
  bool float_product = false;
};
// Output channels of the filter.
int64_t weight_channels(const TensorType& filter, WeightLayer layer);
// s8 activations and a constant s32 bias, or s16 activations and an s64 or s32 bias of the right
// scale; constant symmetric s8 filter; accumulator bound per channel.
Status verify_weight_layer(Operands in, const TensorType& out, WeightLayer layer,
                           Rounding rounding);
// One Requant per output channel. Types have passed verify_weight_layer.
std::vector<Requant> weight_requants(const TensorType& src, const TensorType& filter,
                                     const TensorType& out, WeightLayer layer);
// How the layer's accumulators become outputs (kernels/common/requant.h). s16 activations: as
// TensorFlow Lite, the `reduced` rounding where the bias is s64, or is absent and the graph rounds
// as TensorFlow Lite does; else the graph's. `bias` may be null.
int32_t weight_rounding(const TensorType& src, const TensorType* bias, Rounding rounding);
// The factors that this rounding takes: `reduced` has multipliers of 15 bits.
std::vector<Requant> requants_for(int32_t rounding_code, std::vector<Requant> requants);
// What the integer reference needs per output channel; the bias is zeros where the layer has none.
struct ChannelConstants {
  std::vector<Requant> requants;
  std::vector<int64_t> bias;
};
ChannelConstants channel_constants(Inputs in, const TensorType& out, WeightLayer layer);
// From 64-bit accumulators of all output channels to s16 outputs, as the layer's rounding says.
class WideOutput {
 public:
  WideOutput(Inputs in, const TensorType& out, const Bounds& act, Rounding rounding,
             const ChannelConstants& channels);
  // Writes one element per channel; returns the end of what was written.
  int16_t* write(std::span<const int64_t> acc, int16_t* to) const;

 private:
  int32_t rounding_code_;
  ClampRange range_;
  std::vector<Requant> requants_;
};
QuantRule weight_quant_rule(WeightLayer layer);
// A call of BASE_s8 or BASE_s16s8 with what the argument structs of all weight kernels share:
// add_output_fields (s16: without zero points), filter, bias (if present), multiplier, exponent.
KernelRequest weight_request(const std::string& base, Operands in, const TensorType& out,
                             const Bounds& act, Rounding rounding, WeightLayer layer);
// multiplier s32[n] and exponent s8[n] as tensors.
std::pair<Tensor, Tensor> requant_tensors(std::span<const Requant> requants);

// --- Fields that the argument structs of many kernels share.
// kernels/common/requant.h's number of a rounding.
int32_t rounding_code(Rounding rounding);
// A float field: its bit pattern.
int64_t float_field(float value);
// stride_h stride_w dilation_h dilation_w pad_top pad_left
void add_window_fields(KernelRequest& request, const Window& window);
// in_zero out_zero act_min act_max rounding
void add_output_fields(KernelRequest& request, const TensorType& src, const TensorType& out,
                       const Bounds& act, Rounding rounding);
// act_min act_max rounding
void add_symmetric_output_fields(KernelRequest& request, const TensorType& out, const Bounds& act,
                                 int32_t rounding_code);

}  // namespace nibble
