// What `nibble quantize --explain` found out, and `nibble inspect --certificate`: as JSON and as
// text. Part of the public header report/report.h.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "quantize/quantize.h"

namespace nibble {

// How well a model does on a data set, in one arithmetic.
struct Score {
  // "accuracy" (share of right arg-max), "mse" (against targets), "reconstruction_mse", "none"
  std::string metric;
  double value = 0;
  int64_t samples = 0;
  std::string arithmetic;  // "float32", "int8", "int8 on cortex-m4"
  std::string why;         // of "none"
};

// What a network with some of its layers quantized gives, all else in float.
struct Effect {
  Score score;
  double output_sqnr_db = 0;  // its first output against the float network's
};
// Of one layer: quantized alone, and left alone in float.
struct LayerEffect {
  Effect alone, kept;
};

struct Explanation {
  int64_t samples = 0;  // that the evidence is of
  std::vector<LayerEvidence> layers;
  // Where there were data to score: per layer, nothing for one that rounds nothing; the float and
  // the integer network, and the emulation that the effects were computed with, wholly quantized.
  std::vector<std::optional<LayerEffect>> effects;
  std::optional<Score> real, integer;
  std::optional<Effect> emulated;
  Certificate certificate;
};

// How much worse than `base` it is, in the metric's own unit; negative: better. 0 without a metric.
double score_loss(const Score& base, const Score& found);

// The field "explain" of the report. Its "advice" says what stands out and what to do about it.
nlohmann::ordered_json explanation_json(const Explanation& explanation);
// A table, the worst layers first, and the advice. From the JSON alone.
std::string format_explanation(const nlohmann::ordered_json& explanation);

// The field "stability" of the report, and its tables.
nlohmann::ordered_json stability_json(const Stability& stability);
std::string format_stability(const nlohmann::ordered_json& stability);

nlohmann::ordered_json certificate_json(const Certificate& certificate);
std::string format_certificate(const nlohmann::ordered_json& certificate);

}  // namespace nibble
