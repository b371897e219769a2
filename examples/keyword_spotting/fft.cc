// Cooley and Tukey's radix-2 transform (1965), decimation in time, with tables computed in double.
#include "fft.h"

#include <numbers>
#include <utility>

#include "base/check.h"

namespace nibble::kws {

Fft::Fft(int length) : length_(length) {
  NIBBLE_CHECK(length >= 2 && (length & (length - 1)) == 0, "length {}", length);
  for (int k = 0; k < length / 2; ++k) {
    double angle = -2 * std::numbers::pi * k / length;
    twiddles_.emplace_back(static_cast<float>(std::cos(angle)),
                           static_cast<float>(std::sin(angle)));
  }
  reversed_.resize(static_cast<size_t>(length));
  for (int i = 0; i < length; ++i)
    reversed_[i] = (reversed_[i >> 1] >> 1) | ((i & 1) ? length >> 1 : 0);
}

void Fft::transform(std::span<std::complex<float>> values) const {
  NIBBLE_CHECK(static_cast<int>(values.size()) == length_, "{} values", values.size());
  for (int i = 0; i < length_; ++i)
    if (i < reversed_[i]) std::swap(values[i], values[reversed_[i]]);
  for (int half = 1; half < length_; half *= 2) {
    int table_step = length_ / (2 * half);
    for (int start = 0; start < length_; start += 2 * half) {
      for (int k = 0; k < half; ++k) {
        // Written out: std::complex multiplication checks for NaN on every product.
        std::complex<float> w = twiddles_[k * table_step], b = values[start + k + half];
        float re = b.real() * w.real() - b.imag() * w.imag();
        float im = b.real() * w.imag() + b.imag() * w.real();
        std::complex<float> a = values[start + k];
        values[start + k] = {a.real() + re, a.imag() + im};
        values[start + k + half] = {a.real() - re, a.imag() - im};
      }
    }
  }
}

std::vector<float> convolve(std::span<const float> a, std::span<const float> b) {
  int length = 2;
  while (length < static_cast<int>(a.size() + b.size())) length *= 2;
  thread_local Fft fft(length);
  if (fft.length() != length) fft = Fft(length);

  // Both real signals go through one transform: z = a + i b. Then A[k] B[k] = (Z[k]^2 -
  // conj(Z[N-k])^2) / 4i.
  std::vector<std::complex<float>> z(static_cast<size_t>(length));
  for (size_t i = 0; i < a.size(); ++i) z[i].real(a[i]);
  for (size_t i = 0; i < b.size(); ++i) z[i].imag(b[i]);
  fft.transform(z);
  std::vector<std::complex<float>> product(static_cast<size_t>(length));
  for (int k = 0; k < length; ++k) {
    std::complex<float> mirrored = std::conj(z[(length - k) & (length - 1)]);
    std::complex<float> value =
        (z[k] * z[k] - mirrored * mirrored) * std::complex<float>(0, -0.25f);
    product[k] = std::conj(value);  // the inverse transform is conj(transform(conj(X))) / N
  }
  fft.transform(product);
  std::vector<float> result(a.size());
  for (size_t i = 0; i < a.size(); ++i) result[i] = product[i].real() / static_cast<float>(length);
  return result;
}

}  // namespace nibble::kws
