// A power-of-two Fourier transform: the front end takes spectra with it, the mixer convolves with
// room responses.
#pragma once

#include <complex>
#include <span>
#include <vector>

namespace nibble::kws {

// X[k] = sum over n of x[n] exp(-2 pi i k n / N). The tables of one length are made once;
// transform() may be called from several threads.
class Fft {
 public:
  // `length` is a power of two, at least 2.
  explicit Fft(int length);
  int length() const { return length_; }
  // In place; `values` has `length` elements.
  void transform(std::span<std::complex<float>> values) const;

 private:
  int length_;
  std::vector<std::complex<float>> twiddles_;  // exp(-2 pi i k / N) for k < N / 2
  std::vector<int> reversed_;                  // bit-reversed index
};

// The first a.size() elements of the linear convolution a * b.
std::vector<float> convolve(std::span<const float> a, std::span<const float> b);

}  // namespace nibble::kws
