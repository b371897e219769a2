// From accumulators to s8 by the high products of vector instruction sets: which exact short form a
// layer may use. The forms and their proofs stand with the instructions (mve/output_stage.h,
// rvv/output_stage.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lower/variant.h"

namespace nibble {

class ShortOutput {
 public:
  uint32_t multiplier(size_t channel) const;
  // One multiplier and exponent for all channels.
  bool uniform() const;
  // Letters for a function's name: all that the instructions depend on.
  std::string name() const;
  // The same without the zero point, where that is not a constant.
  std::string form_name() const;
  int zero() const { return zero_; }
  // The fields out_zero, act_min, act_max and rounding of a plain C body, as initializers.
  std::string c_fields() const;

 protected:
  // False if an exponent is not covered by the form: of a channel, or of two fields.
  bool read_channels(const LayerView& layer);
  bool read_fields(const LayerView& layer, std::string_view multiplier, std::string_view exponent);

  std::span<const int32_t> multiplier_;
  std::span<const int8_t> exponent_;
  int zero_ = 0, low_ = 0, high_ = 0;
  int64_t rounding_ = 0;
  char form_ = 'd';

 private:
  void read_range(const LayerView& layer);
  int highest_exponent() const { return form_ == 'r' ? 0 : -1; }
};

// With an instruction set's Stage, which adds the instructions.
template <class Stage>
class ShortOutputOf : public ShortOutput {
 public:
  // Nothing if a channel has an exponent that this form does not cover.
  static std::optional<Stage> of(const LayerView& layer) {
    Stage stage;
    return stage.read_channels(layer) ? std::optional(stage) : std::nullopt;
  }
  // The same for the fields out_multiplier and out_exponent of a sum.
  static std::optional<Stage> of_sum(const LayerView& layer) {
    return of_fields(layer, "out_multiplier", "out_exponent");
  }
  // The same for the fields multiplier and exponent of a product.
  static std::optional<Stage> of_product(const LayerView& layer) {
    return of_fields(layer, "multiplier", "exponent");
  }
  // rescale() of values that may be negative, by exponents of -1 and less; nothing else is called.
  static Stage rescaling(bool single) {
    Stage stage;
    stage.form_ = single ? 's' : 'd';
    return stage;
  }

 private:
  static std::optional<Stage> of_fields(const LayerView& layer, std::string_view multiplier,
                                        std::string_view exponent) {
    Stage stage;
    return stage.read_fields(layer, multiplier, exponent) ? std::optional(stage) : std::nullopt;
  }
};

}  // namespace nibble
