// Units for predicted figures.
#include "pipeline/figure_text.h"

#include <fmt/format.h>

#include <cmath>

namespace nibble {
namespace {

struct Scale {
  double from, factor;
  std::string_view unit;
};

std::string in_unit(double value, std::initializer_list<Scale> scales) {
  const Scale* best = scales.begin();
  for (const Scale& scale : scales)
    if (std::abs(value) >= scale.from) best = &scale;
  const double shown = value * best->factor;
  const int decimals = shown >= 99.95 ? 0 : shown >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", shown, decimals, best->unit);
}

}  // namespace

std::string time_text(double microseconds) {
  return in_unit(microseconds, {{0, 1e3, "ns"},
                                {1, 1, "us"},
                                {1e3, 1e-3, "ms"},
                                {1e6, 1e-6, "s"},
                                {3600e6, 1 / 3600e6, "h"},
                                {172800e6, 1 / 86400e6, "days"}});
}

std::string energy_text(double microjoules) {
  return in_unit(microjoules, {{0, 1e3, "nJ"}, {1, 1, "uJ"}, {1e3, 1e-3, "mJ"}, {1e6, 1e-6, "J"}});
}

std::string power_text(double microwatts) {
  return in_unit(microwatts, {{0, 1e3, "nW"}, {1, 1, "uW"}, {1e3, 1e-3, "mW"}, {1e6, 1e-6, "W"}});
}

std::string days_text(double days) {
  return in_unit(days, {{0, 24, "hours"}, {1, 1, "days"}, {365.25, 1 / 365.25, "years"}});
}

std::string grams_text(double grams) {
  return in_unit(grams, {{0, 1e3, "mg"}, {1, 1, "g"}, {1e3, 1e-3, "kg"}});
}

std::string range_text(const CostFigure& figure, FigureText text) {
  return fmt::format("{} ({} to {})", text(figure.value), text(figure.low80), text(figure.high80));
}

CostFigure scaled(const CostFigure& figure, double factor) {
  return {figure.value * factor, figure.low80 * factor, figure.high80 * factor,
          figure.low95 * factor, figure.high95 * factor};
}

}  // namespace nibble
