// See front_end.h. Tables in double, frames in float.
#include "front_end.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "base/check.h"

namespace nibble::kws {
namespace {

double mel_of_hz(double hz) { return 1127.0 * std::log1p(hz / 700.0); }

}  // namespace

FrontEnd::FrontEnd() : fft_(kFftLength) {
  for (int n = 0; n < kWindowSamples; ++n)
    hann_.push_back(static_cast<float>(
        0.5 - 0.5 * std::cos(2 * std::numbers::pi * n / static_cast<double>(kWindowSamples))));

  double lowest = mel_of_hz(kLowestHz);
  double spacing = (mel_of_hz(kHighestHz) - lowest) / (kMelBands + 1);
  for (int b = 0; b < kMelBands; ++b) {
    double left = lowest + spacing * b, center = left + spacing, right = center + spacing;
    Band band;
    for (int bin = 1; bin <= kFftLength / 2; ++bin) {  // the constant part is in no band
      double mel = mel_of_hz(static_cast<double>(bin) * kSampleRate / kFftLength);
      double weight = std::min((mel - left) / (center - left), (right - mel) / (right - center));
      if (weight <= 0) continue;
      if (band.weights.empty()) band.first_bin = bin;
      band.weights.push_back(static_cast<float>(weight));
    }
    bands_.push_back(std::move(band));
  }

  for (int k = 0; k < kCoefficients; ++k)
    for (int b = 0; b < kMelBands; ++b)
      cosines_.push_back(static_cast<float>(
          std::sqrt(2.0 / kMelBands) * std::cos(std::numbers::pi * k * (b + 0.5) / kMelBands)));
}

void FrontEnd::log_mel(std::span<const float> window, std::span<float> bands) const {
  NIBBLE_CHECK(window.size() == kWindowSamples && bands.size() == kMelBands, "{} samples, {} bands",
               window.size(), bands.size());
  std::complex<float> spectrum[kFftLength] = {};
  for (int n = 0; n < kWindowSamples; ++n) spectrum[n] = window[n] * hann_[n];
  fft_.transform(spectrum);
  for (int b = 0; b < kMelBands; ++b) {
    const Band& band = bands_[b];
    float sum = 0;
    for (size_t i = 0; i < band.weights.size(); ++i)
      sum += band.weights[i] * std::sqrt(std::norm(spectrum[band.first_bin + i]));
    bands[b] = std::log(sum + static_cast<float>(kLogFloor));
  }
}

void FrontEnd::mfcc(std::span<const float> clip, std::span<float> features) const {
  NIBBLE_CHECK(clip.size() == kClipSamples && features.size() == kFeatures,
               "{} samples, {} features", clip.size(), features.size());
  float bands[kMelBands];
  for (int frame = 0; frame < kFrames; ++frame) {
    log_mel(clip.subspan(static_cast<size_t>(frame) * kStrideSamples, kWindowSamples), bands);
    for (int k = 0; k < kCoefficients; ++k) {
      float sum = 0;
      for (int b = 0; b < kMelBands; ++b) sum += cosines_[k * kMelBands + b] * bands[b];
      features[frame * kCoefficients + k] = sum;
    }
  }
}

}  // namespace nibble::kws
