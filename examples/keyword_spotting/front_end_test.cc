// The front end against a slow transform written from the formulas, and against values worked out
// by hand.
#include "front_end.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "base/rng.h"

namespace nibble::kws {
namespace {

constexpr double kPi = std::numbers::pi;

// Straight from the definition, in double: no window table, no fast transform, no band table.
std::vector<double> slow_log_mel(std::span<const float> window) {
  auto mel = [](double hz) { return 1127 * std::log(1 + hz / 700); };
  std::vector<double> magnitude;
  for (int k = 0; k <= 256; ++k) {
    std::complex<double> sum = 0;
    for (int n = 0; n < 480; ++n) {
      double hann = std::pow(std::sin(kPi * n / 480), 2);
      sum += static_cast<double>(window[n]) * hann * std::polar(1.0, -2 * kPi * k * n / 512);
    }
    magnitude.push_back(std::abs(sum));
  }
  std::vector<double> edges;
  for (int i = 0; i < 42; ++i) edges.push_back(mel(20) + (mel(4000) - mel(20)) * i / 41);
  std::vector<double> result;
  for (int b = 0; b < 40; ++b) {
    double sum = 0;
    for (int k = 1; k <= 256; ++k) {
      double at = mel(k * 31.25);
      if (at > edges[b] && at <= edges[b + 1])
        sum += magnitude[k] * (at - edges[b]) / (edges[b + 1] - edges[b]);
      else if (at > edges[b + 1] && at < edges[b + 2])
        sum += magnitude[k] * (edges[b + 2] - at) / (edges[b + 2] - edges[b + 1]);
    }
    result.push_back(std::log(sum + 1e-6));
  }
  return result;
}

TEST(Fft, EqualsTheDefinition) {
  Rng rng(1);
  for (int length : {2, 4, 64, 512}) {
    std::vector<std::complex<float>> values(length);
    for (auto& value : values)
      value = {static_cast<float>(rng.normal()), static_cast<float>(rng.normal())};
    std::vector<std::complex<float>> fast = values;
    Fft(length).transform(fast);
    for (int k = 0; k < length; ++k) {
      std::complex<double> sum = 0;
      for (int n = 0; n < length; ++n)
        sum += std::complex<double>(values[n]) * std::polar(1.0, -2 * kPi * k * n / length);
      EXPECT_NEAR(std::abs(sum - std::complex<double>(fast[k])), 0, 2e-5 * std::sqrt(length))
          << "length " << length << " bin " << k;
    }
  }
}

TEST(Fft, ConvolveEqualsTheDefinition) {
  Rng rng(2);
  for (auto [size_a, size_b] : {std::pair{100, 37}, {64, 64}, {5, 90}, {1, 1}}) {
    std::vector<float> a(size_a), b(size_b);
    for (float& value : a) value = static_cast<float>(rng.normal());
    for (float& value : b) value = static_cast<float>(rng.normal());
    std::vector<float> result = convolve(a, b);
    ASSERT_EQ(result.size(), a.size());
    for (int n = 0; n < size_a; ++n) {
      double sum = 0;
      for (int k = std::max(0, n - size_b + 1); k <= n; ++k) sum += double{a[k]} * b[n - k];
      EXPECT_NEAR(result[n], sum, 1e-4) << size_a << " * " << size_b << " at " << n;
    }
  }
}

TEST(FrontEnd, FrameCountIsThatOfMlperfTiny) {
  EXPECT_EQ(kFrames, 49);
  EXPECT_EQ(kFeatures, 490);
}

TEST(FrontEnd, DigitalSilence) {
  std::vector<float> clip(kClipSamples), features(kFeatures);
  FrontEnd().mfcc(clip, features);
  for (int i = 0; i < kFeatures; ++i)
    EXPECT_NEAR(features[i], i % kCoefficients == 0 ? -123.5702 : 0, 2e-3) << i;
}

TEST(FrontEnd, LogMelEqualsSlowDft) {
  Rng rng(3);
  std::vector<float> window(kWindowSamples), bands(kMelBands);
  for (double level : {1e-4, 0.02, 0.9}) {
    for (float& sample : window) sample = static_cast<float>(rng.uniform(-level, level));
    FrontEnd().log_mel(window, bands);
    std::vector<double> expected = slow_log_mel(window);
    for (int b = 0; b < kMelBands; ++b) EXPECT_NEAR(bands[b], expected[b], 1e-3) << "band " << b;
  }
}

TEST(FrontEnd, MfccEqualsSlowTransform) {
  Rng rng(4);
  std::vector<float> clip(kClipSamples), features(kFeatures);
  for (int n = 0; n < kClipSamples; ++n)
    clip[n] = static_cast<float>(0.3 * std::sin(2 * kPi * (300 + n / 20.0) * n / 16000) +
                                 0.01 * rng.normal());
  FrontEnd().mfcc(clip, features);
  for (int frame : {0, 7, 48}) {
    std::vector<double> bands = slow_log_mel(std::span(clip).subspan(frame * 320, 480));
    for (int k = 0; k < 10; ++k) {
      double sum = 0;
      for (int b = 0; b < 40; ++b) sum += 2 * bands[b] * std::cos(kPi * k * (2 * b + 1) / 80);
      EXPECT_NEAR(features[frame * 10 + k], sum / std::sqrt(80.0), 5e-3) << frame << ", " << k;
    }
  }
}

// Band 18 of 40 between 20 and 4000 Hz has its centre at 1034.6 Hz:
// mel(20) = 31.75, mel(4000) = 2146.06, centre = 31.75 + 19 * 51.57 = 1011.6 mel, 700 (exp(1011.6 /
// 1127) - 1) Hz.
TEST(FrontEnd, ToneIsLoudestInItsBand) {
  std::vector<float> window(kWindowSamples), bands(kMelBands);
  double hz = 700 * (std::exp(1011.6 / 1127) - 1);
  for (int n = 0; n < kWindowSamples; ++n)
    window[n] = static_cast<float>(0.5 * std::sin(2 * kPi * hz * n / kSampleRate));
  FrontEnd().log_mel(window, bands);
  EXPECT_EQ(std::max_element(bands.begin(), bands.end()) - bands.begin(), 18);
}

TEST(FrontEnd, LoudnessMovesOnlyTheFirstCoefficient) {
  Rng rng(5);
  std::vector<float> clip(kClipSamples), features(kFeatures), louder(kFeatures);
  for (float& sample : clip) sample = static_cast<float>(rng.uniform(-0.1, 0.1));
  FrontEnd front_end;
  front_end.mfcc(clip, features);
  for (float& sample : clip) sample *= 4;
  front_end.mfcc(clip, louder);
  for (int i = 0; i < kFeatures; ++i)
    EXPECT_NEAR(louder[i] - features[i],
                i % kCoefficients == 0 ? std::sqrt(80.0) * std::log(4.0) : 0, 2e-3);
}

}  // namespace
}  // namespace nibble::kws
