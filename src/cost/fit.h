// Fits the latency model to measured rows.
//
//   minimize  sum_rows w rho((log predicted - log measured) / kRowSd)
//             + sum_parameters ((x - mean) / sd)^2,     rho(z) = 2 (sqrt(1 + z^2) - 1)
//
// w is 1 / number of rows of the same board, stack and model: a submission that repeats another's
// figures has no second vote. rho is soft L1 (Charbonnier). Solved by Levenberg-Marquardt
// (Marquardt, J. SIAM 1963) from the prior means; the covariance is (J'J)^-1 at the end, J of the
// square roots of the terms above.
#pragma once

#include <vector>

#include "cost/model.h"

namespace nibble {

struct FitRow {
  CostCase question;
  std::string model;      // with board and stack, what makes rows repeat each other
  double log_cycles = 0;  // measured
};

// Prior means where there are no rows. Deterministic.
CostModel fit(const std::vector<FitRow>& rows);

// For tests: the terms above at `x`, their Jacobian, and the prior means.
class FitProblem {
 public:
  explicit FitProblem(const std::vector<FitRow>& rows);
  size_t parameters() const { return means_.size(); }
  const std::vector<double>& means() const { return means_; }
  // Fills one residual per row, then one per parameter; jacobian row by row, if not null.
  void evaluate(const std::vector<double>& x, std::vector<double>& residuals,
                std::vector<double>* jacobian) const;
  CostModel model_at(const std::vector<double>& x, const std::vector<double>& covariance) const;

 private:
  // Indices of parameters that a kind's log, or a row, is the sum of.
  struct RowTerms {
    std::array<std::array<size_t, 4>, kCostKinds> kind;
    size_t core = 0, board = 0;
    double weight = 1;
  };
  size_t add(double mean, double sd);

  const std::vector<FitRow>& rows_;
  std::vector<double> means_, sds_;
  std::map<std::string, size_t> families_, stacks_;  // first of 1 + kCostKinds parameters
  std::map<std::string, size_t> cores_, boards_;
  std::map<std::string, std::string> family_of_;
  std::vector<RowTerms> terms_;
};

}  // namespace nibble
