#include "quantize/settings.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace nibble {
namespace {

struct CalibratorName {
  Calibrator calibrator;
  std::string_view name;
};
constexpr CalibratorName kCalibrators[] = {
#define NIBBLE_CALIBRATOR(enumerator, name, function) {Calibrator::enumerator, name},
#include "quantize/calibrators.def"
#undef NIBBLE_CALIBRATOR
};

template <class T>
struct Choice {
  std::string_view name;
  T value;
};
constexpr Choice<Grid> kGrids[] = {{"symmetric", Grid::kSymmetric},
                                   {"unsigned", Grid::kUnsigned},
                                   {"asymmetric", Grid::kAsymmetric}};
constexpr Choice<Scales> kScales[] = {
    {"real", Scales::kReal}, {"power-of-two", Scales::kPowerOfTwo}, {"dyadic", Scales::kDyadic}};
constexpr Choice<Levels> kLevels[] = {{"uniform", Levels::kUniform},
                                      {"power-of-two", Levels::kPowerOfTwo},
                                      {"additive", Levels::kAdditive},
                                      {"codebook", Levels::kCodebook}};
constexpr Choice<ValueRounding> kRoundings[] = {{"nearest", ValueRounding::kNearest},
                                                {"half-even", ValueRounding::kHalfEven},
                                                {"floor", ValueRounding::kFloor},
                                                {"stochastic", ValueRounding::kStochastic}};
constexpr Choice<WeightRange> kWeightRanges[] = {{"max", WeightRange::kMax},
                                                 {"mse", WeightRange::kMse}};
constexpr Choice<Ranges> kRanges[] = {{"static", Ranges::kStatic}, {"dynamic", Ranges::kDynamic}};
constexpr Choice<bool> kBools[] = {{"true", true}, {"false", false}};

template <class T, size_t N>
bool choose(const Choice<T> (&choices)[N], std::string_view value, T& to) {
  for (const Choice<T>& choice : choices)
    if (choice.name == value) {
      to = choice.value;
      return true;
    }
  return false;
}

template <class T>
bool parse_number(std::string_view text, T low, T high, T& to) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (!(value >= low && value <= high)) return false;
  to = value;
  return true;
}

bool set_granularity(LayerSettings& settings, std::string_view value) {
  constexpr std::string_view kGroup = "group:";
  WeightSettings& weights = settings.weights;
  weights.group = 0;
  if (value.starts_with(kGroup)) {
    weights.granularity = Granularity::kGroup;
    return parse_number(value.substr(kGroup.size()), int64_t{2}, int64_t{1} << 20, weights.group);
  }
  weights.granularity = value == "tensor" ? Granularity::kTensor : Granularity::kChannel;
  return value == "tensor" || value == "channel";
}

bool set_format(std::string_view name, std::optional<NumberFormat>& to) {
  Result<NumberFormat> format = find_number_format(name);
  to.reset();
  if (format.ok()) to = *format;
  return format.ok() || name == "integer";
}

using S = LayerSettings;
using V = std::string_view;
constexpr SettingInfo kSettings[] = {
    {"weight-bits", "2 to 16", "bits of weights",
     [](S& s, V v) { return parse_number(v, 2, 16, s.weights.bits); }},
    {"weight-grid", "symmetric, unsigned, asymmetric", "where weights have their zero",
     [](S& s, V v) { return choose(kGrids, v, s.weights.grid); }},
    {"narrow-range", "true, false", "symmetric weights without their lowest integer",
     [](S& s, V v) { return choose(kBools, v, s.weights.narrow); }},
    {"weight-scales", "real, power-of-two, dyadic", "what scales weights may have",
     [](S& s, V v) { return choose(kScales, v, s.weights.scales); }},
    {"granularity", "channel, tensor, group:N", "which weights share a scale", set_granularity},
    {"weight-levels", "uniform, power-of-two, additive, codebook", "which integers weights are",
     [](S& s, V v) { return choose(kLevels, v, s.weights.levels); }},
    {"weight-range", "max, mse", "how the range of weights is chosen",
     [](S& s, V v) { return choose(kWeightRanges, v, s.weights.range); }},
    {"weight-rounding", "nearest, half-even, floor, stochastic", "how weights are rounded",
     [](S& s, V v) { return choose(kRoundings, v, s.weights.rounding); }},
    {"activation-bits", "2 to 16", "bits of activations",
     [](S& s, V v) { return parse_number(v, 2, 16, s.activations.bits); }},
    {"activation-grid", "symmetric, unsigned, asymmetric", "where activations have their zero",
     [](S& s, V v) { return choose(kGrids, v, s.activations.grid); }},
    {"activation-scales", "real, power-of-two, dyadic", "what scales activations may have",
     [](S& s, V v) { return choose(kScales, v, s.activations.scales); }},
    {"calibrator", "", "how activation ranges are chosen",
     [](S& s, V v) {
       Result<Calibrator> calibrator = parse_calibrator(v);
       if (calibrator.ok()) s.activations.calibrator = *calibrator;
       return calibrator.ok();
     }},
    {"percentile", "50 to 100", "share of values kept by the percentile calibrator",
     [](S& s, V v) { return parse_number(v, 50.0, 100.0, s.activations.percentile); }},
    {"momentum", "0 to 0.9999", "of the moving-average calibrator",
     [](S& s, V v) { return parse_number(v, 0.0, 0.9999, s.activations.momentum); }},
    {"ranges", "static, dynamic", "ranges of the calibration set, or of each sample (host only)",
     [](S& s, V v) { return choose(kRanges, v, s.activations.ranges); }},
    {"weight-format", "", "weights in another number format, emulated (host only)",
     [](S& s, V v) { return set_format(v, s.weights.format); }},
    {"activation-format", "", "activations in another number format, emulated (host only)",
     [](S& s, V v) { return set_format(v, s.activations.format); }},
};

// `pattern` with `*` for any characters.
bool fits_pattern(std::string_view pattern, std::string_view text) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (size_t at = star; at <= text.size(); ++at)
    if (fits_pattern(rest, text.substr(at))) return true;
  return false;
}

}  // namespace

Result<Calibrator> parse_calibrator(std::string_view name) {
  for (const auto& row : kCalibrators)
    if (row.name == name) return row.calibrator;
  return usage_error(
      fmt::format("unknown calibrator '{}'; known: {}", name, join(calibrator_names(), ", ")));
}

std::string_view calibrator_name(Calibrator calibrator) {
  for (const auto& row : kCalibrators)
    if (row.calibrator == calibrator) return row.name;
  NIBBLE_UNREACHABLE("calibrator {}", static_cast<int>(calibrator));
}

std::vector<std::string> calibrator_names() {
  std::vector<std::string> names;
  for (const auto& row : kCalibrators) names.emplace_back(row.name);
  return names;
}

std::span<const SettingInfo> all_settings() { return kSettings; }

std::string values_of(const SettingInfo& info) {
  if (!info.values.empty()) return std::string(info.values);
  if (info.name == "calibrator") return join(calibrator_names(), ", ");
  std::string values = "integer";
  for (const NumberFormatInfo& format : number_formats())
    values += fmt::format(", {}", format.name);
  return values;
}

Status apply_setting(LayerSettings& settings, std::string_view name, std::string_view value) {
  std::vector<std::string> names;
  for (const SettingInfo& info : kSettings) {
    names.emplace_back(info.name);
    if (info.name != name) continue;
    LayerSettings changed = settings;
    if (!info.set(changed, value))
      return usage_error(fmt::format("{} '{}': known: {}", name, value, values_of(info)));
    settings = changed;
    return {};
  }
  const std::string nearest = nearest_word(name, names);
  return usage_error(fmt::format(
      "unknown setting '{}'{}", name,
      nearest.empty() ? "; known: " + join(names, ", ") : ", did you mean '" + nearest + "'?"));
}

std::span<const Scheme> all_schemes() {
  static constexpr Scheme kSchemes[] = {{"int8", 8, 8, "8-bit weights and activations"},
                                        {"16x8", 8, 16, "16-bit activations, 8-bit weights"}};
  return kSchemes;
}

std::string schemes_text() {
  std::vector<std::string> texts;
  for (const Scheme& scheme : all_schemes())
    texts.push_back(fmt::format("{} ({})", scheme.name, scheme.what));
  return join(texts, ", ") + ", or wXaY (X-bit weights, Y-bit activations)";
}

Status apply_scheme(LayerSettings& settings, std::string_view scheme) {
  for (const Scheme& known : all_schemes())
    if (known.name == scheme) {
      settings.weights.bits = known.weight_bits;
      settings.activations.bits = known.activation_bits;
      return {};
    }
  const size_t a = scheme.find('a');
  const bool is_pair = scheme.starts_with('w') && a != std::string_view::npos &&
                       parse_number(scheme.substr(1, a - 1), 2, 16, settings.weights.bits) &&
                       parse_number(scheme.substr(a + 1), 2, 16, settings.activations.bits);
  if (is_pair) return {};
  return usage_error(
      fmt::format("--scheme {}: known: {}, with 2 to 16 bits each", scheme, schemes_text()));
}

Status apply_named(LayerSettings& settings, const NamedValue& value) {
  return value.first == "scheme" ? apply_scheme(settings, value.second)
                                 : apply_setting(settings, value.first, value.second);
}

std::string calibrator_of(std::string_view setting) {
  if (setting == "percentile") return "percentile";
  return setting == "momentum" ? "moving-average" : "";
}

bool matches(const LayerRule& rule, std::string_view name, std::string_view op) {
  auto any = [](const std::vector<std::string>& patterns, std::string_view text) {
    return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string& pattern) {
             return fits_pattern(pattern, text);
           });
  };
  return any(rule.nodes, name) && any(rule.ops, op);
}

LayerSettings settings_of(const LayerSettings& all, std::span<const LayerRule> rules,
                          std::string_view name, std::string_view op) {
  LayerSettings settings = all;
  for (const LayerRule& rule : rules) {
    if (!matches(rule, name, op)) continue;
    for (const NamedValue& value : rule.settings) {
      const Status applied = apply_named(settings, value);
      NIBBLE_CHECK(applied.ok(), "{}", applied.error().message);
    }
  }
  return settings;
}

}  // namespace nibble
