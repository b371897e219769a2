// A predicted figure with its ranges.
#pragma once

namespace nibble {

// The ranges hold 80 % and 95 % of measurements on parts that the fit has not seen.
struct CostFigure {
  double value = 0;  // median of the prediction
  double low80 = 0, high80 = 0, low95 = 0, high95 = 0;
};

}  // namespace nibble
