// GPTQ: rounding with compensation; refine.h has the equation.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "quantize/methods/element_grid.h"
#include "quantize/methods/gram.h"
#include "quantize/methods/refine.h"

namespace nibble {
namespace {

// Added to the diagonal, as a share of its mean, so that H can be inverted (Frantar et al.).
constexpr double kDamping = 0.01;

// Rows and columns in this order.
Matrix permuted(const Matrix& matrix, const std::vector<int64_t>& order) {
  Matrix result = matrix;
  for (int64_t i = 0; i < matrix.order; ++i)
    for (int64_t j = 0; j < matrix.order; ++j)
      result.at(i, j) = matrix.at(order[static_cast<size_t>(i)], order[static_cast<size_t>(j)]);
  return result;
}

// The largest moments first: the weights that matter most are rounded while all others are left to
// make up for them.
std::vector<int64_t> rounding_order(const Matrix& gram) {
  std::vector<int64_t> order(static_cast<size_t>(gram.order));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order,
                           [&](int64_t a, int64_t b) { return gram.at(a, a) > gram.at(b, b); });
  return order;
}

// The factor of the inverse, with inputs in that order; damped.
Matrix compensation(Matrix gram, const std::vector<int64_t>& order) {
  double trace = 0;
  for (int64_t i = 0; i < gram.order; ++i) trace += gram.at(i, i);
  const double damping = std::max(kDamping * trace / static_cast<double>(gram.order), 1e-12);
  for (int64_t i = 0; i < gram.order; ++i) gram.at(i, i) += damping;
  return inverse_cholesky(permuted(gram, order));
}

}  // namespace

Status gptq(LayerContext& context) {
  const LayerRows rows(context.layer);
  const std::vector<Matrix> grams = input_grams(context.real, context.layer, context.inputs);
  const ElementGrid grid(context.weight().type());
  auto weights = context.real_weight().data<float>();
  Tensor result = context.weight();
  std::vector<int32_t> integers(weights.size());
  const int64_t width = rows.width();
  parallel_for(rows.groups(), [&](int64_t begin, int64_t end, int) {
    for (int64_t g = begin; g < end; ++g) {
      const Matrix& gram = grams[static_cast<size_t>(g)];
      const std::vector<int64_t> order = rounding_order(gram);
      const Matrix upper = compensation(gram, order);
      std::vector<double> left(static_cast<size_t>(width)), nearest(left), compensated(left);
      std::vector<int32_t> chosen(static_cast<size_t>(width));
      for (int64_t k = 0; k < rows.outs_per_group(); ++k) {
        const int64_t out = g * rows.outs_per_group() + k;
        for (int64_t j = 0; j < width; ++j)
          left[static_cast<size_t>(j)] = static_cast<double>(
              weights[static_cast<size_t>(rows.elem(out, order[static_cast<size_t>(j)]))]);
        for (int64_t j = 0; j < width; ++j) {
          const auto column = static_cast<size_t>(order[static_cast<size_t>(j)]);
          const int64_t elem = rows.elem(out, static_cast<int64_t>(column));
          const auto weight = static_cast<double>(weights[static_cast<size_t>(elem)]);
          const double wanted = left[static_cast<size_t>(j)];
          chosen[column] = grid.nearest(wanted, elem);
          const double rounded = grid.real(chosen[column], elem);
          const double error = (wanted - rounded) / upper.at(j, j);
          for (int64_t i = j + 1; i < width; ++i)
            left[static_cast<size_t>(i)] -= error * upper.at(j, i);
          compensated[column] = weight - rounded;
          nearest[column] = weight - grid.real(grid.nearest(weight, elem), elem);
        }
        const bool better = quadratic_form(gram, compensated) < quadratic_form(gram, nearest);
        for (int64_t j = 0; j < width; ++j) {
          const int64_t elem = rows.elem(out, j);
          integers[static_cast<size_t>(elem)] =
              better ? chosen[static_cast<size_t>(j)]
                     : grid.nearest(static_cast<double>(weights[static_cast<size_t>(elem)]), elem);
        }
      }
    }
  });
  for (size_t i = 0; i < integers.size(); ++i)
    result.set_integer_at(static_cast<int64_t>(i), integers[i]);
  context.set_weight(std::move(result));
  return {};
}

}  // namespace nibble
