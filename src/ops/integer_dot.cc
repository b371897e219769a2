// The hot loops of the integer references, compiled for AVX2 as well where the host may have it.
#include "ops/integer_dot.h"

#include <algorithm>

#if defined(__x86_64__) && defined(__GNUC__)
#define NIBBLE_HAS_AVX2_VARIANT 1
#endif

// The optimisation level of the build may not vectorise reductions; these loops want it.
#if defined(__GNUC__) && !defined(__clang__)
#define NIBBLE_VECTORISE __attribute__((optimize("O3")))
#else
#define NIBBLE_VECTORISE
#endif

namespace nibble {
namespace {

// Four rows share each load of src.
#define NIBBLE_DOT_ROWS_BODY                                         \
  int64_t row = 0;                                                   \
  for (; row + 4 <= row_count; row += 4) {                           \
    const int16_t* w0 = rows + row * len;                            \
    const int16_t* w1 = w0 + len;                                    \
    const int16_t* w2 = w1 + len;                                    \
    const int16_t* w3 = w2 + len;                                    \
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;                  \
    for (int64_t i = 0; i < len; ++i) {                              \
      sum0 += int32_t{src[i]} * w0[i];                               \
      sum1 += int32_t{src[i]} * w1[i];                               \
      sum2 += int32_t{src[i]} * w2[i];                               \
      sum3 += int32_t{src[i]} * w3[i];                               \
    }                                                                \
    acc[row] += sum0;                                                \
    acc[row + 1] += sum1;                                            \
    acc[row + 2] += sum2;                                            \
    acc[row + 3] += sum3;                                            \
  }                                                                  \
  for (; row < row_count; ++row) {                                   \
    const int16_t* w = rows + row * len;                             \
    int32_t sum = 0;                                                 \
    for (int64_t i = 0; i < len; ++i) sum += int32_t{src[i]} * w[i]; \
    acc[row] += sum;                                                 \
  }

#define NIBBLE_MULTIPLY_ADD_BODY \
  for (int64_t i = 0; i < len; ++i) acc[i] += int32_t{a[i]} * b[i];

NIBBLE_VECTORISE void dot_rows_plain(const int16_t* src, const int16_t* rows, int64_t len,
                                     int64_t row_count, int32_t* acc){NIBBLE_DOT_ROWS_BODY}

NIBBLE_VECTORISE void multiply_add_plain(const int16_t* a, const int16_t* b, int64_t len,
                                         int32_t* __restrict acc){NIBBLE_MULTIPLY_ADD_BODY}
#ifdef NIBBLE_HAS_AVX2_VARIANT
NIBBLE_VECTORISE
    __attribute__((target("avx2"))) void dot_rows_avx2(const int16_t* src, const int16_t* rows,
                                                       int64_t len, int64_t row_count,
                                                       int32_t* acc){NIBBLE_DOT_ROWS_BODY}

NIBBLE_VECTORISE
    __attribute__((target("avx2"))) void multiply_add_avx2(const int16_t* a, const int16_t* b,
                                                           int64_t len, int32_t* __restrict acc) {
  NIBBLE_MULTIPLY_ADD_BODY
}

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}
#endif

template <class T>
void fill_image(const T* from, const Shape& shape, int32_t zero_point, const Window& window,
                CentredImage& image) {
  int64_t row_elems = shape[2] * shape[3];
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t y = 0; y < shape[1]; ++y) {
      int16_t* to = image.elems.data() +
                    ((n * image.height + y + window.pad_top) * image.width + window.pad_left) *
                        image.channels;
      for (int64_t i = 0; i < row_elems; ++i) to[i] = static_cast<int16_t>(from[i] - zero_point);
      from += row_elems;
    }
}

}  // namespace

void dot_rows(const int16_t* src, const int16_t* rows, int64_t len, int64_t row_count,
              int32_t* acc) {
#ifdef NIBBLE_HAS_AVX2_VARIANT
  if (has_avx2()) return dot_rows_avx2(src, rows, len, row_count, acc);
#endif
  dot_rows_plain(src, rows, len, row_count, acc);
}

void multiply_add(const int16_t* a, const int16_t* b, int64_t len, int32_t* acc) {
#ifdef NIBBLE_HAS_AVX2_VARIANT
  if (has_avx2()) return multiply_add_avx2(a, b, len, acc);
#endif
  multiply_add_plain(a, b, len, acc);
}

std::vector<int16_t> centred_weights(const Tensor& filter) {
  const QuantParams& quant = *filter.type().quant;
  const auto is_zero = [](int64_t zero) { return zero == 0; };
  if (filter.dtype() == DType::kS8 && quant.group == 0 &&
      std::ranges::all_of(quant.zero_point, is_zero)) {  // nearly always
    const std::span<const int8_t> centred = filter.data<int8_t>();
    return {centred.begin(), centred.end()};
  }
  const QuantIndex index(filter.shape(), quant);
  std::vector<int16_t> weights(static_cast<size_t>(filter.size()));
  for (int64_t i = 0; i < filter.size(); ++i) {
    int64_t weight = filter.integer_at(i) - quant.zero_point[index.channel(i)];
    if (quant.group > 0) weight *= quant.group_factor[index.run(i)];
    weights[static_cast<size_t>(i)] = static_cast<int16_t>(weight);
  }
  return weights;
}

int64_t wide_run(std::span<const int16_t> weights) {
  int32_t largest = 1;
  for (int16_t weight : weights) largest = std::max(largest, std::abs(int32_t{weight}));
  const int64_t run = INT32_MAX / (int64_t{32768} * largest);
  return run < kDotStep ? std::max<int64_t>(run, 1) : run / kDotStep * kDotStep;
}

std::vector<int16_t> pad_rows(const int16_t* rows, int64_t row_count, int64_t len) {
  int64_t padded = dot_padded(len);
  std::vector<int16_t> result(static_cast<size_t>(row_count * padded), 0);
  for (int64_t row = 0; row < row_count; ++row)
    std::copy_n(rows + row * len, len, result.begin() + row * padded);
  return result;
}

WideRows::WideRows(const int16_t* rows, int64_t row_count, int64_t len) : row_count_(row_count) {
  const int64_t longest = wide_run({rows, static_cast<size_t>(row_count * len)});
  // A run takes whole steps of src: where not even one stays within 32 bits, each product is summed
  // in 64.
  if (longest < kDotStep) {
    in_64_bits_ = true;
    run_lens_ = {dot_padded(len)};
    elems_ = pad_rows(rows, row_count, len);
    return;
  }
  for (int64_t first = 0; first < len; first += longest) {
    int64_t run = std::min(longest, len - first);
    run_lens_.push_back(dot_padded(run));
    for (int64_t row = 0; row < row_count; ++row) {
      const int16_t* from = rows + row * len + first;
      elems_.insert(elems_.end(), from, from + run);
      elems_.resize(elems_.size() + static_cast<size_t>(run_lens_.back() - run), 0);
    }
  }
}

void WideRows::add_products(const int16_t* src, int64_t* acc) const {
  const int16_t* rows = elems_.data();
  if (in_64_bits_) {
    for (int64_t row = 0; row < row_count_; ++row, rows += run_lens_[0])
      for (int64_t i = 0; i < run_lens_[0]; ++i) acc[row] += int64_t{src[i]} * rows[i];
    return;
  }
  std::vector<int32_t> sums(static_cast<size_t>(row_count_));
  for (int64_t run : run_lens_) {
    std::fill(sums.begin(), sums.end(), 0);
    dot_rows(src, rows, run, row_count_, sums.data());
    for (size_t i = 0; i < sums.size(); ++i) acc[i] += sums[i];
    src += run;
    rows += run * row_count_;
  }
}

CentredImage centre_image(const Tensor& src, int32_t zero_point, const Window& window) {
  const Shape& shape = src.shape();
  CentredImage image;
  image.height = shape[1] + window.pad_top + window.pad_bottom;
  image.width = shape[2] + window.pad_left + window.pad_right;
  image.channels = shape[3];
  image.elems.assign(static_cast<size_t>(shape[0] * image.height * image.width * image.channels),
                     0);
  if (src.dtype() == DType::kS16)
    fill_image(src.data<int16_t>().data(), shape, zero_point, window, image);
  else
    fill_image(src.data<int8_t>().data(), shape, zero_point, window, image);
  return image;
}

}  // namespace nibble
