// Levenberg-Marquardt on dense normal equations.
#include "cost/fit.h"

#include <cmath>
#include <numeric>
#include <tuple>

#include "base/check.h"
#include "base/linear.h"

namespace nibble {
namespace {

double square_sum(const std::vector<double>& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

// J'J and J'r. Rows of J are mostly zeros.
void normal_equations(const std::vector<double>& jacobian, const std::vector<double>& residuals,
                      size_t n, std::vector<double>& matrix, std::vector<double>& gradient) {
  matrix.assign(n * n, 0);
  gradient.assign(n, 0);
  std::vector<size_t> used;
  for (size_t row = 0; row < residuals.size(); ++row) {
    const double* j = &jacobian[row * n];
    used.clear();
    for (size_t i = 0; i < n; ++i)
      if (j[i] != 0) used.push_back(i);
    for (size_t a : used) {
      gradient[a] += j[a] * residuals[row];
      for (size_t b : used) matrix[a * n + b] += j[a] * j[b];
    }
  }
}

}  // namespace

FitProblem::FitProblem(const std::vector<FitRow>& rows) : rows_(rows) {
  std::map<std::tuple<std::string, std::string, std::string>, int> repeats;
  for (const FitRow& row : rows) {
    const CostCase& q = row.question;
    ++repeats[{q.board, q.stack, row.model}];
    family_of_[q.stack] = q.family;
    families_[q.family] = stacks_[q.stack] = cores_[q.core] = boards_[q.board] = 0;
  }
  for (auto& [name, index] : families_) {
    const CostFamily& family = find_family(name);
    index = add(std::log(family.factor), family.sd);
    for (size_t k = 0; k < kCostKinds; ++k) add(0, family.kind_sd);
  }
  for (auto& [name, index] : stacks_) {
    index = add(0, find_family(family_of_[name]).stack_sd);
    for (size_t k = 0; k < kCostKinds; ++k) add(0, kStackKindSd);
  }
  for (auto& [name, index] : cores_) {
    const LogEffect prior = core_effect({}, name);
    index = add(prior.log, prior.sd);
  }
  for (auto& [name, index] : boards_) index = add(0, kBoardSd);
  for (const FitRow& row : rows) {
    const CostCase& q = row.question;
    RowTerms& terms = terms_.emplace_back();
    const size_t family = families_[q.family], stack = stacks_[q.stack];
    for (size_t k = 0; k < kCostKinds; ++k)
      terms.kind[k] = {family, family + 1 + k, stack, stack + 1 + k};
    terms.core = cores_[q.core];
    terms.board = boards_[q.board];
    terms.weight = std::sqrt(1.0 / repeats[{q.board, q.stack, row.model}]);
  }
}

size_t FitProblem::add(double mean, double sd) {
  means_.push_back(mean);
  sds_.push_back(sd);
  return means_.size() - 1;
}

void FitProblem::evaluate(const std::vector<double>& x, std::vector<double>& residuals,
                          std::vector<double>* jacobian) const {
  const size_t n = parameters();
  residuals.clear();
  if (jacobian) jacobian->assign((rows_.size() + n) * n, 0);
  for (size_t row = 0; row < rows_.size(); ++row) {
    const RowTerms& terms = terms_[row];
    KindVector share{};
    double sum = 0;
    for (size_t k = 0; k < kCostKinds; ++k) {
      double beta = 0;
      for (size_t i : terms.kind[k]) beta += x[i];
      share[k] = rows_[row].question.work[k] * std::exp(beta);
      sum += share[k];
    }
    const double z =
        (std::log(sum) + x[terms.core] + x[terms.board] - rows_[row].log_cycles) / kRowSd;
    const double root = std::sqrt(1 + z * z);
    // sqrt(2 (root - 1)) without the loss of digits near zero.
    const double value = std::abs(z) * std::sqrt(2 / (root + 1));
    residuals.push_back(terms.weight * std::copysign(value, z));
    if (!jacobian) continue;
    // d value / d z = |z| / (root value)
    const double slope = terms.weight / kRowSd * std::sqrt((root + 1) / 2) / root;
    double* j = &(*jacobian)[row * n];
    for (size_t k = 0; k < kCostKinds; ++k)
      for (size_t i : terms.kind[k]) j[i] += slope * share[k] / sum;
    j[terms.core] += slope;
    j[terms.board] += slope;
  }
  for (size_t i = 0; i < n; ++i) {
    residuals.push_back((x[i] - means_[i]) / sds_[i]);
    if (jacobian) (*jacobian)[(rows_.size() + i) * n + i] = 1 / sds_[i];
  }
}

CostModel FitProblem::model_at(const std::vector<double>& x,
                               const std::vector<double>& covariance) const {
  const size_t n = parameters();
  // beta_k is the sum of x over lists[k].
  auto effect = [&](const std::string& family,
                    const std::array<std::vector<size_t>, kCostKinds>& lists) {
    StackEffect result{family, {}, {}};
    for (size_t a = 0; a < kCostKinds; ++a) {
      for (size_t i : lists[a]) result.log[a] += x[i];
      for (size_t b = 0; b < kCostKinds; ++b)
        for (size_t i : lists[a])
          for (size_t j : lists[b]) result.covariance[a][b] += covariance[i * n + j];
    }
    return result;
  };
  CostModel model;
  std::array<std::vector<size_t>, kCostKinds> lists;
  for (const auto& [name, index] : families_) {
    for (size_t k = 0; k < kCostKinds; ++k) lists[k] = {index, index + 1 + k};
    model.families[name] = effect(name, lists);
  }
  for (const auto& [name, index] : stacks_) {
    const std::string& family = family_of_.at(name);
    const size_t first = families_.at(family);
    for (size_t k = 0; k < kCostKinds; ++k) lists[k] = {first, first + 1 + k, index, index + 1 + k};
    model.stacks[name] = effect(family, lists);
  }
  for (const auto& [name, i] : cores_) model.cores[name] = {x[i], std::sqrt(covariance[i * n + i])};
  for (const auto& [name, i] : boards_)
    model.boards[name] = {x[i], std::sqrt(covariance[i * n + i])};
  return model;
}

CostModel fit(const std::vector<FitRow>& rows) {
  constexpr int kMostSteps = 200;
  constexpr double kEnough = 1e-10;  // of the largest step; the committed file is held to 1e-6
  const FitProblem problem(rows);
  const size_t n = problem.parameters();
  std::vector<double> x = problem.means(), residuals, jacobian, matrix, gradient;
  double damping = 1e-3, largest_step = 1;
  problem.evaluate(x, residuals, &jacobian);
  double cost = square_sum(residuals);
  for (int step = 0; step < kMostSteps && n > 0 && largest_step > kEnough; ++step) {
    normal_equations(jacobian, residuals, n, matrix, gradient);
    for (size_t i = 0; i < n; ++i) matrix[i * n + i] *= 1 + damping;
    NIBBLE_CHECK(cholesky(matrix, n), "normal equations of {} parameters", n);
    cholesky_solve(matrix, n, gradient);
    std::vector<double> next = x, next_residuals;
    largest_step = 0;
    for (size_t i = 0; i < n; ++i) {
      next[i] -= gradient[i];
      largest_step = std::max(largest_step, std::abs(gradient[i]));
    }
    problem.evaluate(next, next_residuals, nullptr);
    const double next_cost = square_sum(next_residuals);
    // Near the end rounding decides; a step that small may be taken either way.
    if (next_cost > cost * (1 + 1e-14)) {
      damping *= 10;
      continue;
    }
    damping = std::max(damping / 10, 1e-12);
    x = std::move(next);
    cost = next_cost;
    problem.evaluate(x, residuals, &jacobian);
  }
  std::vector<double> covariance;
  if (n > 0) {
    normal_equations(jacobian, residuals, n, matrix, gradient);
    NIBBLE_CHECK(cholesky(matrix, n), "normal equations of {} parameters", n);
    covariance = cholesky_inverse(matrix, n);
  }
  return problem.model_at(x, covariance);
}

}  // namespace nibble
