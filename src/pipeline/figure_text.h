// Predicted figures for people: about three digits, in the unit that suits them. Inside pipeline/.
#pragma once

#include <string>

#include "cost/cost.h"

namespace nibble {

inline constexpr size_t kTextColumns = 110;  // of a line for a terminal, but for tables

using FigureText = std::string (*)(double);
std::string time_text(double microseconds);
std::string energy_text(double microjoules);
std::string power_text(double microwatts);
std::string days_text(double days);
std::string grams_text(double grams);

// "28.1 ms (25.0 ms to 31.6 ms)": with the range of 80 in 100.
std::string range_text(const CostFigure& figure, FigureText text);
CostFigure scaled(const CostFigure& figure, double factor);

}  // namespace nibble
