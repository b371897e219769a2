// GPTQ: rounding with compensation, on the part of each channel's range that serves it best;
// refine.h has the equations.
#include "quantize/methods/gptq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "quantize/methods/element_grid.h"

namespace nibble {
namespace {

// Added to the diagonal, as a share of its mean, so that H can be inverted (Frantar et al.).
constexpr double kDamping = 0.01;
// Of the range, in percent.
constexpr int kLeastShare = 40;
constexpr int kStep = 5;
// Of coordinate descent: it ends by itself, mostly after a few.
constexpr int kMostSweeps = 20;

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

// Weights of one output channel as integers, and their squared error at the output.
struct RoundedRow {
  std::vector<int32_t> integers;
  double error = 0;
};

double error_of(const RoundedRow& row, const std::vector<double>& weights, int64_t out,
                const LayerRows& rows, const ElementGrid& grid, const Matrix& gram) {
  std::vector<double> difference(weights.size());
  for (size_t j = 0; j < weights.size(); ++j)
    difference[j] =
        weights[j] - grid.real(row.integers[j], rows.elem(out, static_cast<int64_t>(j)));
  return quadratic_form(gram, difference);
}

// Coordinate descent: each weight in turn takes the integer that is best with all others as they
// are, until none moves. The error e of the weights at the output is a quadratic form, so that best
// integer is the one nearest to w_q,j + (H e)_j / H_jj; none raises the error.
void descend(RoundedRow& row, const std::vector<double>& weights, int64_t out,
             const LayerRows& rows, const ElementGrid& grid, const Matrix& gram) {
  const size_t width = weights.size();
  std::vector<double> real(width), slope(width, 0);  // slope: H e
  for (size_t j = 0; j < width; ++j)
    real[j] = grid.real(row.integers[j], rows.elem(out, static_cast<int64_t>(j)));
  auto move = [&](size_t j, double by) {
    const double* line = &gram.elems[j * width];
    for (size_t i = 0; i < width; ++i) slope[i] += line[i] * by;
  };
  for (size_t j = 0; j < width; ++j) move(j, weights[j] - real[j]);
  bool moved = true;
  for (int sweep = 0; moved && sweep < kMostSweeps; ++sweep) {
    moved = false;
    for (size_t j = 0; j < width; ++j) {
      const double curvature = gram.elems[j * width + j];
      if (curvature <= 0) continue;
      const int64_t elem = rows.elem(out, static_cast<int64_t>(j));
      const int32_t best = grid.nearest(real[j] + slope[j] / curvature, elem);
      if (best == row.integers[j]) continue;
      const double now = grid.real(best, elem), by = real[j] - now;
      // (H e)_j by + H_jj by^2 / 2 is half of what the error changes by.
      if (slope[j] * by + curvature * by * by / 2 >= 0) continue;
      move(j, by);
      real[j] = now;
      row.integers[j] = best;
      moved = true;
    }
  }
}

// With compensation, or to the nearest where that serves better.
RoundedRow round_row(const std::vector<double>& weights, int64_t out, const LayerRows& rows,
                     const ElementGrid& grid, const GroupInputs& group) {
  const auto width = static_cast<int64_t>(weights.size());
  std::vector<double> left(weights.size());
  RoundedRow compensated, nearest;
  compensated.integers.resize(weights.size());
  for (int64_t j = 0; j < width; ++j) {
    left[static_cast<size_t>(j)] =
        weights[static_cast<size_t>(group.order[static_cast<size_t>(j)])];
    nearest.integers.push_back(grid.nearest(weights[static_cast<size_t>(j)], rows.elem(out, j)));
  }
  for (int64_t j = 0; j < width; ++j) {
    const int64_t column = group.order[static_cast<size_t>(j)], elem = rows.elem(out, column);
    const double wanted = left[static_cast<size_t>(j)];
    int32_t& chosen = compensated.integers[static_cast<size_t>(column)];
    chosen = grid.nearest(wanted, elem);
    const double* line = &group.upper.elems[static_cast<size_t>(j * width)];
    const double error = (wanted - grid.real(chosen, elem)) / line[j];
    for (int64_t i = j + 1; i < width; ++i) left[static_cast<size_t>(i)] -= error * line[i];
  }
  for (RoundedRow* row : {&compensated, &nearest}) {
    descend(*row, weights, out, rows, grid, group.gram);
    row->error = error_of(*row, weights, out, rows, grid, group.gram);
  }
  return compensated.error < nearest.error ? compensated : nearest;
}

}  // namespace

std::vector<GroupInputs> group_inputs(const LayerContext& context) {
  std::vector<Matrix> grams = input_grams(context.real, context.layer, context.inputs);
  std::vector<GroupInputs> groups(grams.size());
  parallel_for(static_cast<int64_t>(groups.size()), [&](int64_t begin, int64_t end, int) {
    for (int64_t g = begin; g < end; ++g) {
      GroupInputs& group = groups[static_cast<size_t>(g)];
      group.gram = std::move(grams[static_cast<size_t>(g)]);
      group.order = rounding_order(group.gram);
      group.upper = compensation(group.gram, group.order);
    }
  });
  return groups;
}

void round_with_compensation(LayerContext& context, const std::vector<GroupInputs>& groups,
                             std::span<const float> weights) {
  const LayerRows rows(context.layer);
  const TensorType before = context.weight().type();
  const auto outs = static_cast<size_t>(context.layer.out_channels);
  const bool shared = before.quant->scale.size() == 1;  // one scale: all channels take one share
  QuantParams best = *before.quant;
  std::vector<RoundedRow> chosen(outs);
  std::vector<double> least(before.quant->scale.size());
  for (int share = 100; share >= kLeastShare; share -= kStep) {
    TensorType type = before;
    type.quant = context.narrowed(*before.quant, share / 100.0);
    if (share < 100 && type.quant->scale == before.quant->scale) continue;
    const ElementGrid grid(type);
    std::vector<RoundedRow> found(outs);
    parallel_for(context.layer.out_channels, [&](int64_t begin, int64_t end, int) {
      std::vector<double> row(static_cast<size_t>(rows.width()));
      for (int64_t out = begin; out < end; ++out) {
        for (int64_t j = 0; j < rows.width(); ++j)
          row[static_cast<size_t>(j)] =
              static_cast<double>(weights[static_cast<size_t>(rows.elem(out, j))]);
        found[static_cast<size_t>(out)] = round_row(
            row, out, rows, grid, groups[static_cast<size_t>(out / rows.outs_per_group())]);
      }
    });
    std::vector<double> errors(least.size(), 0);
    for (size_t out = 0; out < outs; ++out) errors[shared ? 0 : out] += found[out].error;
    for (size_t out = 0; out < outs; ++out) {
      const size_t c = shared ? 0 : out;
      if (share == 100 || errors[c] < least[c]) chosen[out] = std::move(found[out]);
    }
    for (size_t c = 0; c < least.size(); ++c)
      if (share == 100 || errors[c] < least[c]) {
        least[c] = errors[c];
        best.scale[c] = type.quant->scale[c];
      }
  }
  Tensor result(TensorType{before.shape, before.dtype, best});
  for (size_t out = 0; out < outs; ++out)
    for (int64_t j = 0; j < rows.width(); ++j)
      result.set_integer_at(rows.elem(static_cast<int64_t>(out), j),
                            chosen[out].integers[static_cast<size_t>(j)]);
  context.set_weight(std::move(result));
}

Status gptq(LayerContext& context) {
  round_with_compensation(context, group_inputs(context), context.real_weight().data<float>());
  return {};
}

}  // namespace nibble
