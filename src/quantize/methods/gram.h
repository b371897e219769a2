// The second moments of what a layer reads, H = E[x x^T]: with them the squared error of an output
// channel with weights w_q in place of w is (w - w_q)^T H (w - w_q). Inside quantize/ only.
#pragma once

#include <vector>

#include "quantize/methods/real_layer.h"

namespace nibble {

// Square, symmetric, row-major.
struct Matrix {
  int64_t order = 0;
  std::vector<double> elems;
  double& at(int64_t row, int64_t column) {
    return elems[static_cast<size_t>(row * order + column)];
  }
  double at(int64_t row, int64_t column) const {
    return elems[static_cast<size_t>(row * order + column)];
  }
};

// Output channels of a layer that read the same inputs, and where the filter has the weights that
// they read them with.
class LayerRows {
 public:
  explicit LayerRows(const RealLayer& layer) : layer_(layer) {}
  int64_t groups() const { return layer_.depthwise ? layer_.in_channels : layer_.groups; }
  int64_t outs_per_group() const { return layer_.out_channels / groups(); }
  int64_t width() const { return layer_.elems_per_out(); }
  // Weight j of output channel `out`.
  int64_t elem(int64_t out, int64_t j) const {
    return layer_.depthwise ? j * layer_.out_channels + out : out * width() + j;
  }

 private:
  const RealLayer& layer_;
};

// Of the layer's inputs (a tensor per sample), one matrix per group. At most kMostRows positions of
// the output count, spread over all samples.
inline constexpr int64_t kMostRows = 8192;
std::vector<Matrix> input_grams(const Graph& graph, const RealLayer& layer,
                                const std::vector<Tensor>& inputs);
// E[y x^T] of the same positions of two inputs, y first.
std::vector<Matrix> cross_moments(const Graph& graph, const RealLayer& layer,
                                  const std::vector<Tensor>& first,
                                  const std::vector<Tensor>& second);

// d^T H d.
double quadratic_form(const Matrix& matrix, const std::vector<double>& d);

// Upper triangular U with H^-1 = U^T U. H is symmetric and positive definite (our bug if not).
Matrix inverse_cholesky(const Matrix& matrix);

}  // namespace nibble
