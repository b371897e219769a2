// Pictures of a refit: predicted against measured, both on logarithmic axes.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cost/refit.h"

namespace nibble {
namespace {

constexpr double kSize = 560, kMargin = 64;
// Marks, one colour per core.
constexpr std::string_view kColours[] = {"#1b6ca8", "#c8553d", "#3a7d44", "#8e5ea2", "#b8860b",
                                         "#2f4858", "#d1495b", "#00798c", "#6b705c", "#9a031e"};

struct Mark {
  const CostRow* row = nullptr;
  double measured = 0, predicted = 0;
};

struct Plot {
  std::string_view unit;
  double low = 0, high = 0;   // of both axes, log10
  std::vector<double> lines;  // of the grid
  double factor = 1;          // of the dashed lines
  std::string_view factor_text;
  std::vector<Mark> marks;

  double x(double value) const {
    const double at = std::clamp(std::log10(value), low, high);
    return kMargin + (at - low) / (high - low) * (kSize - 2 * kMargin);
  }
  double y(double value) const { return kSize - x(value); }
};

std::string grid(const Plot& plot) {
  std::string svg;
  for (double at : plot.lines)
    svg += fmt::format(
        "<path d=\"M{0:.1f} {2} V{3} M{2} {1:.1f} H{3}\" stroke=\"#ddd\"/>\n"
        "<text x=\"{0:.1f}\" y=\"{4}\" text-anchor=\"middle\">{5:g}</text>\n"
        "<text x=\"{6}\" y=\"{1:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
        plot.x(at), plot.y(at), kMargin, kSize - kMargin, kSize - kMargin + 18, at, kMargin - 6);
  const double low = std::pow(10, plot.low), high = std::pow(10, plot.high);
  for (double factor : {1.0, plot.factor, 1 / plot.factor}) {
    const double from = std::max(low, low / factor), to = std::min(high, high / factor);
    svg +=
        fmt::format("<path d=\"M{:.1f} {:.1f} L{:.1f} {:.1f}\" stroke=\"#888\" fill=\"none\"{}/>\n",
                    plot.x(from), plot.y(from * factor), plot.x(to), plot.y(to * factor),
                    factor == 1 ? "" : " stroke-dasharray=\"4 4\"");
  }
  return svg;
}

std::string marks(const Plot& plot) {
  std::string svg;
  std::map<std::string, std::string_view> colours;
  for (const Mark& mark : plot.marks) colours[mark.row->core];
  size_t next = 0;
  for (auto& [core, colour] : colours) {
    colour = kColours[next % std::size(kColours)];
    const double at = kMargin + 16 + 16 * static_cast<double>(next++);
    svg += fmt::format(
        "<circle cx=\"{0}\" cy=\"{1}\" r=\"4\" fill=\"{2}\"/><text x=\"{3}\" "
        "y=\"{4}\">{5}</text>\n",
        kMargin + 14, at, colour, kMargin + 24, at + 4, core);
  }
  for (const Mark& mark : plot.marks)
    svg += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\" fill-opacity=\"0.6\">"
        "<title>{}, {}, {}</title></circle>\n",
        plot.x(mark.measured), plot.y(mark.predicted), colours[mark.row->core], mark.row->board,
        mark.row->stack, mark.row->model);
  return svg;
}

std::string print(const Plot& plot) {
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" "
             "font-family=\"sans-serif\" "
             "font-size=\"12\">\n<rect width=\"{0}\" height=\"{0}\" fill=\"#fff\"/>\n",
             kSize) +
         grid(plot) + marks(plot) +
         fmt::format(
             "<text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">measured, {2}</text>\n"
             "<text x=\"16\" y=\"{0}\" text-anchor=\"middle\" transform=\"rotate(-90 16 "
             "{0})\">predicted, board left out, {2}</text>\n"
             "<text x=\"{0}\" y=\"24\" text-anchor=\"middle\">Dashed: {3} off</text>\n</svg>\n",
             kSize / 2, kSize - 16, plot.unit, plot.factor_text);
}

}  // namespace

std::string time_plot(const Refit& refit) {
  Plot plot{"ms", -0.7, 3.8, {1, 10, 100, 1000}, 1.35, "35 %", {}};
  for (const Prediction& p : refit.board)
    plot.marks.push_back({p.row, p.row->latency_ms, std::exp(p.log) / (p.row->clock_mhz * 1e3)});
  return print(plot);
}

std::string energy_plot(const Refit& refit) {
  Plot plot{"uJ", 1, 5, {10, 100, 1000, 10'000, 100'000}, 1.3, "30 %", {}};
  for (const Prediction& p : refit.energy)
    plot.marks.push_back({p.row, std::exp(p.measured), std::exp(p.log)});
  return print(plot);
}

}  // namespace nibble
