// Sound files and the few operations on one recording that the corpus needs.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace nibble::kws {

struct Sound {
  int sample_rate = 0;
  std::vector<float> samples;  // mono, [-1, 1)
};

// Errors: not a sound file, more than one channel, longer than ten minutes.
Result<Sound> read_sound(const std::filesystem::path& path);
// 16-bit WAV at 16 kHz; values beyond full scale are clipped.
Status write_sound(const std::filesystem::path& path, std::span<const float> samples);

// `step` input samples per output sample, by windowed-sinc interpolation with the cut-off at the
// lower of the two Nyquist frequencies.
std::vector<float> resample(std::span<const float> samples, double step);

// Without the quiet parts at both ends, but for 20 ms.
std::vector<float> trim_silence(std::span<const float> samples);

double root_mean_square(std::span<const float> samples);

// Runs a program of the PATH and waits. Errors: it is missing (`package` is the Debian package that
// has it), or it fails (with the command line).
Status run_program(const std::vector<std::string>& arguments, const std::string& package);

}  // namespace nibble::kws
