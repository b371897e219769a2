// Cholesky's factorization (Golub and Van Loan, Matrix Computations, 4.2).
#include "base/linear.h"

#include <cmath>

namespace nibble {

bool cholesky(std::vector<double>& a, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j && !(sum > 0)) return false;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  return true;
}

void cholesky_solve(const std::vector<double>& l, size_t n, std::vector<double>& b) {
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= l[i * n + k] * b[k];
    b[i] /= l[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) b[i] -= l[k * n + i] * b[k];
    b[i] /= l[i * n + i];
  }
}

std::vector<double> cholesky_inverse(const std::vector<double>& l, size_t n) {
  std::vector<double> inverse(n * n), column(n);
  for (size_t j = 0; j < n; ++j) {
    column.assign(n, 0);
    column[j] = 1;
    cholesky_solve(l, n, column);
    for (size_t i = 0; i < n; ++i) inverse[i * n + j] = column[i];
  }
  return inverse;
}

}  // namespace nibble
