// Dense symmetric systems, small enough for plain loops.
#pragma once

#include <cstddef>
#include <vector>

namespace nibble {

// Lower triangle L of the positive definite n x n matrix A = L L' (row by row), in its place. False
// where A is not positive definite.
bool cholesky(std::vector<double>& a, size_t n);
// x with L L' x = b, in the place of b.
void cholesky_solve(const std::vector<double>& l, size_t n, std::vector<double>& b);
// (L L')^-1
std::vector<double> cholesky_inverse(const std::vector<double>& l, size_t n);

}  // namespace nibble
