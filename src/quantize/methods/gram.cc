#include "quantize/methods/gram.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/linear.h"
#include "base/parallel.h"

namespace nibble {
namespace {

// Where the layer's window stands: an image for convolutions, one row per position for dense.
struct Geometry {
  Window window;
  int64_t k_h = 1, k_w = 1, in_h = 1, in_w = 1, out_h = 1, out_w = 1, batches = 1, channels = 1;
};

Geometry geometry_of(const Graph& graph, const RealLayer& layer) {
  const Node& node = graph.nodes[static_cast<size_t>(layer.node)];
  const Shape& src = graph.type(node.inputs[0]).shape;
  Geometry result;
  result.channels = src.back();
  if (std::holds_alternative<Dense>(node.op)) {
    result.batches = elem_count(src) / std::max<int64_t>(src.back(), 1);
    return result;
  }
  const auto* conv = std::get_if<Conv2d>(&node.op);
  result.window = conv ? conv->window : std::get<DepthwiseConv2d>(node.op).window;
  const Shape &filter = graph.type(layer.weight).shape, &dst = graph.type(node.outputs[0]).shape;
  result.k_h = filter[1], result.k_w = filter[2];
  result.batches = src[0], result.in_h = src[1], result.in_w = src[2];
  result.out_h = dst[1], result.out_w = dst[2];
  return result;
}

// The inputs that one output position reads, `count` channels from `first` on, tap by tap.
void read_patch(const Geometry& geometry, std::span<const float> image, int64_t position,
                int64_t first, int64_t count, float* patch) {
  const int64_t ox = position % geometry.out_w, oy = position / geometry.out_w % geometry.out_h;
  const int64_t n = position / (geometry.out_w * geometry.out_h);
  const Window& window = geometry.window;
  for (int64_t ky = 0; ky < geometry.k_h; ++ky)
    for (int64_t kx = 0; kx < geometry.k_w; ++kx, patch += count) {
      const int64_t y = oy * window.stride_h - window.pad_top + ky * window.dilation_h;
      const int64_t x = ox * window.stride_w - window.pad_left + kx * window.dilation_w;
      if (y < 0 || y >= geometry.in_h || x < 0 || x >= geometry.in_w) {
        std::fill_n(patch, count, 0.0f);
        continue;
      }
      const int64_t pixel = (n * geometry.in_h + y) * geometry.in_w + x;
      std::copy_n(image.data() + pixel * geometry.channels + first, count, patch);
    }
}

// Sums of products first[i] * second[j], j >= i alone where `upper`. In single precision over few
// rows, then in double: as exact as is needed, and vectorised by the compiler.
void add_products(const std::vector<float>& first, const std::vector<float>& second, int64_t count,
                  bool upper, Matrix& sums) {
  const int64_t width = sums.order;
  std::vector<float> line(static_cast<size_t>(width));
  for (int64_t i = 0; i < width; ++i) {
    const int64_t begin = upper ? i : 0;
    std::ranges::fill(line, 0.0f);
    for (int64_t r = 0; r < count; ++r) {
      const float* row = second.data() + r * width;
      const float factor = first[static_cast<size_t>(r * width + i)];
      if (factor == 0) continue;
      for (int64_t j = begin; j < width; ++j) line[static_cast<size_t>(j)] += factor * row[j];
    }
    for (int64_t j = begin; j < width; ++j)
      sums.at(i, j) += static_cast<double>(line[static_cast<size_t>(j)]);
  }
}

// E[y x^T], its upper half alone where the inputs are the same ones.
std::vector<Matrix> moments(const Graph& graph, const RealLayer& layer,
                            const std::vector<Tensor>& first, const std::vector<Tensor>& second) {
  const Geometry geometry = geometry_of(graph, layer);
  const LayerRows rows(layer);
  const bool same = &first == &second;
  const int64_t width = rows.width(), channels = layer.inner;
  const int64_t positions = geometry.batches * geometry.out_h * geometry.out_w;
  const int64_t all = positions * static_cast<int64_t>(first.size());
  // Without a factor in common with the positions of a sample, the step meets every one of them.
  int64_t step = std::max<int64_t>(1, all / kMostRows);
  while (std::gcd(step, positions) != 1) ++step;
  const int64_t used = (all + step - 1) / step;
  std::vector<Matrix> result(static_cast<size_t>(rows.groups()));
  parallel_for(rows.groups(), [&](int64_t begin, int64_t end, int) {
    constexpr int64_t kChunk = 64;
    std::vector<float> left(static_cast<size_t>(kChunk * width)), right(left);
    for (int64_t g = begin; g < end; ++g) {
      Matrix& sums = result[static_cast<size_t>(g)];
      sums = {width, std::vector<double>(static_cast<size_t>(width * width), 0)};
      for (int64_t begin_row = 0; begin_row < used; begin_row += kChunk) {
        const int64_t count = std::min(kChunk, used - begin_row);
        for (int64_t r = 0; r < count; ++r) {
          const int64_t at = (begin_row + r) * step;
          auto read = [&](const std::vector<Tensor>& inputs, std::vector<float>& patches) {
            read_patch(geometry, inputs[static_cast<size_t>(at / positions)].data<float>(),
                       at % positions, g * channels, channels, patches.data() + r * width);
          };
          read(first, left);
          if (!same) read(second, right);
        }
        add_products(left, same ? left : right, count, same, sums);
      }
      for (double& sum : sums.elems) sum /= static_cast<double>(used);
    }
  });
  return result;
}

}  // namespace

std::vector<Matrix> input_grams(const Graph& graph, const RealLayer& layer,
                                const std::vector<Tensor>& inputs) {
  std::vector<Matrix> grams = moments(graph, layer, inputs, inputs);
  for (Matrix& gram : grams)
    for (int64_t i = 0; i < gram.order; ++i)
      for (int64_t j = i; j < gram.order; ++j) gram.at(j, i) = gram.at(i, j);
  return grams;
}

std::vector<Matrix> cross_moments(const Graph& graph, const RealLayer& layer,
                                  const std::vector<Tensor>& first,
                                  const std::vector<Tensor>& second) {
  return moments(graph, layer, first, second);
}

double quadratic_form(const Matrix& matrix, const std::vector<double>& d) {
  // The upper half twice; four sums side by side, because one would wait for itself.
  double sum = 0;
  for (int64_t i = 0; i < matrix.order; ++i) {
    const double factor = d[static_cast<size_t>(i)];
    if (factor == 0) continue;
    const double* row = &matrix.elems[static_cast<size_t>(i * matrix.order)];
    double lines[4] = {};
    int64_t j = i + 1;
    for (; j + 4 <= matrix.order; j += 4)
      for (int64_t k = 0; k < 4; ++k) lines[k] += row[j + k] * d[static_cast<size_t>(j + k)];
    for (; j < matrix.order; ++j) lines[0] += row[j] * d[static_cast<size_t>(j)];
    sum += factor * (row[i] * factor + 2 * (lines[0] + lines[1] + lines[2] + lines[3]));
  }
  return sum;
}

Matrix inverse_cholesky(const Matrix& matrix) {
  const int64_t n = matrix.order;
  // With P the reversal of rows and columns and P H P = M M^T (Cholesky, M lower triangular),
  // V = P M P is upper triangular and H = V V^T. Hence H^-1 = V^-T V^-1: U = V^-1.
  Matrix lower = matrix;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) lower.at(i, j) = matrix.at(n - 1 - i, n - 1 - j);
  NIBBLE_CHECK(cholesky(lower.elems, static_cast<size_t>(n)), "not positive definite");
  Matrix upper{n, std::vector<double>(static_cast<size_t>(n * n), 0)};
  auto v = [&](int64_t i, int64_t j) { return lower.at(n - 1 - i, n - 1 - j); };
  for (int64_t j = 0; j < n; ++j) {
    upper.at(j, j) = 1 / v(j, j);
    for (int64_t i = j - 1; i >= 0; --i) {
      double sum = 0;
      for (int64_t k = i + 1; k <= j; ++k) sum += v(i, k) * upper.at(k, j);
      upper.at(i, j) = -sum / v(i, i);
    }
  }
  return upper;
}

}  // namespace nibble
