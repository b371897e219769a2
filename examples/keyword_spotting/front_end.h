// The front end of the keyword spotter: one second of sound to 49 x 10 mel-frequency cepstral
// coefficients, with the parameters of MLPerf Tiny's keyword spotting benchmark. Training and test
// features come from here; a device has to compute the same.
#pragma once

#include <span>
#include <vector>

#include "fft.h"

namespace nibble::kws {

inline constexpr int kSampleRate = 16000;
inline constexpr int kClipSamples = 16000;  // one second
inline constexpr int kWindowSamples = 480;  // 30 ms
inline constexpr int kStrideSamples = 320;  // 20 ms
inline constexpr int kFftLength = 512;
inline constexpr int kMelBands = 40;
inline constexpr double kLowestHz = 20;
inline constexpr double kHighestHz = 4000;
inline constexpr int kFrames = (kClipSamples - kWindowSamples) / kStrideSamples + 1;  // 49
inline constexpr int kCoefficients = 10;
inline constexpr int kFeatures = kFrames * kCoefficients;
inline constexpr double kLogFloor = 1e-6;  // added before the logarithm

// Per frame: periodic Hann window, magnitude of the zero-padded spectrum, triangular bands on the
// mel scale mel(f) = 1127 ln(1 + f / 700), natural logarithm, then
//   c[k] = sqrt(2 / 40) * sum over b of logmel[b] cos(pi k (b + 1/2) / 40)
// for k < 10, as TensorFlow's mfccs_from_log_mel_spectrograms scales them (c[0] included). Digital
// silence is c[0] = sqrt(80) ln(1e-6) = -123.57 and zeros. const members may be called from several
// threads.
class FrontEnd {
 public:
  FrontEnd();
  // `clip`: kClipSamples in [-1, 1). `features`: kFrames rows of kCoefficients.
  void mfcc(std::span<const float> clip, std::span<float> features) const;
  // `window`: kWindowSamples. `bands`: kMelBands.
  void log_mel(std::span<const float> window, std::span<float> bands) const;

 private:
  struct Band {
    int first_bin = 0;
    std::vector<float> weights;
  };
  Fft fft_;
  std::vector<float> hann_;
  std::vector<Band> bands_;
  std::vector<float> cosines_;  // kCoefficients rows of kMelBands, scaled
};

}  // namespace nibble::kws
