// How weights and activations become integers, layer by layer: what --scheme and the finer options
// of the command line say for all layers, and the tables [[layer]] of a file for some of them.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "quantize/formats/number_format.h"

namespace nibble {

// How the range of an activation is chosen; calibrators.def lists them.
enum class Calibrator {
#define NIBBLE_CALIBRATOR(enumerator, name, function) enumerator,
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR
};
Result<Calibrator> parse_calibrator(std::string_view name);
std::string_view calibrator_name(Calibrator calibrator);
std::vector<std::string> calibrator_names();

// Where real zero lies. kSymmetric: at q = 0, the middle. kUnsigned: at the lower end, for what is
// never negative (Rehm et al. 2021). kAsymmetric: wherever the range puts it (Jacob et al. 2018).
enum class Grid { kSymmetric, kUnsigned, kAsymmetric };
// Which scales may be: any float; powers of two; b / 2^c with b of 8 bits (Yao et al. 2021).
enum class Scales { kReal, kPowerOfTwo, kDyadic };
// What shares a scale: all weights; those of an output channel; in a channel runs of N weights,
// each with a factor of 4 bits below the channel's scale (Dai et al. 2021).
enum class Granularity { kTensor, kChannel, kGroup };
// Which of the integers occur. kUniform: all. kPowerOfTwo: 0 and +-2^k (Miyashita et al. 2016).
// kAdditive: sums of two of these (Li et al. 2020). kCodebook: 2^bits integers of 8 bits found by
// k-means (Han et al. 2016).
enum class Levels { kUniform, kPowerOfTwo, kAdditive, kCodebook };
// Of weights. kNearest: half away from zero; kHalfEven; kFloor; kStochastic: up with the
// probability of the fraction (Gupta et al. 2015).
enum class ValueRounding { kNearest, kHalfEven, kFloor, kStochastic };
// The largest weight a scale stands for: the largest there is, or the one of least squared error.
enum class WeightRange { kMax, kMse };
// kStatic: of the calibration set. kDynamic: of each sample, on the host only.
enum class Ranges { kStatic, kDynamic };

struct WeightSettings {
  int bits = 8;  // 2 to 16
  Grid grid = Grid::kSymmetric;
  // Symmetric: without -2^(bits-1).
  bool narrow = true;
  Scales scales = Scales::kReal;
  Granularity granularity = Granularity::kChannel;
  int64_t group = 0;  // weights of a run, with Granularity::kGroup
  Levels levels = Levels::kUniform;
  WeightRange range = WeightRange::kMax;
  ValueRounding rounding = ValueRounding::kNearest;
  std::optional<NumberFormat> format = {};  // instead of integers, emulated
  bool operator==(const WeightSettings&) const = default;
};

struct ActivationSettings {
  int bits = 8;  // 2 to 8 in s8, 9 to 16 in s16, where the grid is symmetric
  Grid grid = Grid::kAsymmetric;
  Scales scales = Scales::kReal;
  Calibrator calibrator = Calibrator::kMinMax;
  double percentile = 99.99;  // percentile calibrator: this share of values lies inside
  double momentum = 0.9;      // moving average: range <- momentum * range + (1-momentum) * sample
  Ranges ranges = Ranges::kStatic;
  std::optional<NumberFormat> format = {};  // instead of integers, emulated
  bool operator==(const ActivationSettings&) const = default;
};

// Of one layer: its weights, and its output.
struct LayerSettings {
  WeightSettings weights;
  ActivationSettings activations;
  bool operator==(const LayerSettings&) const = default;
};

// A setting by its name on the command line and in files.
struct SettingInfo {
  std::string_view name;    // "weight-bits"
  std::string_view values;  // "2 to 16"; empty: values_of knows
  std::string_view what;
  // False: not one of the values.
  bool (*set)(LayerSettings& settings, std::string_view value);
};
std::span<const SettingInfo> all_settings();
std::string values_of(const SettingInfo& info);
// Error: no such setting, or no such value; with those that there are.
Status apply_setting(LayerSettings& settings, std::string_view name, std::string_view value);
// "int8", "16x8", or "wXaY" with X and Y bits.
Status apply_scheme(LayerSettings& settings, std::string_view scheme);
// As files say it: "scheme" or the name of a setting, and its value.
using NamedValue = std::pair<std::string, std::string>;
Status apply_named(LayerSettings& settings, const NamedValue& value);
// The one calibrator that reads the setting ("percentile"); "" for one that is not a calibrator's.
std::string calibrator_of(std::string_view setting);

// The widths that `--scheme` has names for.
struct Scheme {
  std::string_view name;
  int weight_bits = 8, activation_bits = 8;
  std::string_view what;  // "8-bit weights and activations"
};
std::span<const Scheme> all_schemes();
// "int8 (8-bit weights and activations), ..."
std::string schemes_text();

// Settings for the nodes that a table [[layer]] names, in the order of the file; a later one wins.
struct LayerRule {
  std::vector<std::string> nodes;    // names; `*` stands for any characters
  std::vector<std::string> ops;      // "dense"; with nodes, both must be so
  std::vector<NamedValue> settings;  // checked; the scheme first
  bool keep_float = false;
};
// The tables [[layer]] of a TOML file; other keys are left to their reader. Errors: file, line.
Result<std::vector<LayerRule>> read_layer_rules(const std::filesystem::path& file);

bool matches(const LayerRule& rule, std::string_view name, std::string_view op);
// Of a node, or of an input of the graph (op "input").
LayerSettings settings_of(const LayerSettings& all, std::span<const LayerRule> rules,
                          std::string_view name, std::string_view op);

}  // namespace nibble
