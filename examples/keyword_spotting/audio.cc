// See audio.h. Files by libsndfile.
#include "audio.h"

#include <fmt/format.h>
#include <sndfile.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>

#include "base/text.h"
#include "front_end.h"

extern char** environ;

namespace nibble::kws {
namespace {

using SoundFile = std::unique_ptr<SNDFILE, decltype(&sf_close)>;

// Lanczos-windowed sinc, tabulated: lobes to each side, steps per lobe.
constexpr int kLobes = 16;
constexpr int kStepsPerLobe = 512;

const std::vector<float>& sinc_table() {
  static const std::vector<float> table = [] {
    std::vector<float> result = {1.0f};
    for (int i = 1; i <= kLobes * kStepsPerLobe; ++i) {
      double x = std::numbers::pi * i / kStepsPerLobe;
      result.push_back(static_cast<float>(std::sin(x) / x * std::sin(x / kLobes) / (x / kLobes)));
    }
    result.push_back(0.0f);  // the interpolation reads one beyond
    return result;
  }();
  return table;
}

}  // namespace

Result<Sound> read_sound(const std::filesystem::path& path) {
  SF_INFO info = {};
  SoundFile file(sf_open(path.c_str(), SFM_READ, &info), &sf_close);
  if (!file) return input_error(fmt::format("{}: {}", path.string(), sf_strerror(nullptr)));
  if (info.channels != 1)
    return input_error(fmt::format("{}: {} channels; one is needed", path.string(), info.channels));
  if (info.samplerate <= 0 || info.frames <= 0 || info.frames > int64_t{600} * info.samplerate)
    return input_error(
        fmt::format("{}: {} samples at {} Hz; between one sample and ten minutes "
                    "are expected",
                    path.string(), info.frames, info.samplerate));
  Sound sound{info.samplerate, std::vector<float>(static_cast<size_t>(info.frames))};
  sf_count_t count = sf_readf_float(file.get(), sound.samples.data(), info.frames);
  if (count != info.frames)
    return input_error(
        fmt::format("{}: ends after {} of {} samples", path.string(), count, info.frames));
  return sound;
}

Status write_sound(const std::filesystem::path& path, std::span<const float> samples) {
  SF_INFO info = {};
  info.samplerate = kSampleRate;
  info.channels = 1;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  SoundFile file(sf_open(path.c_str(), SFM_WRITE, &info), &sf_close);
  if (!file) return input_error(fmt::format("{}: {}", path.string(), sf_strerror(nullptr)));
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  auto count = static_cast<sf_count_t>(samples.size());
  if (sf_writef_float(file.get(), samples.data(), count) != count || sf_close(file.release()) != 0)
    return input_error(fmt::format("{}: cannot be written (disk full?)", path.string()));
  return {};
}

std::vector<float> resample(std::span<const float> samples, double step) {
  const std::vector<float>& table = sinc_table();
  double cutoff = std::min(1.0, 1.0 / step);
  auto reach = static_cast<int64_t>(std::ceil(kLobes / cutoff));
  auto count = static_cast<int64_t>(static_cast<double>(samples.size()) / step);
  std::vector<float> result(static_cast<size_t>(count));
  for (int64_t n = 0; n < count; ++n) {
    double at = static_cast<double>(n) * step;
    auto nearest = static_cast<int64_t>(at);
    int64_t first = std::max<int64_t>(0, nearest - reach + 1);
    int64_t last = std::min(static_cast<int64_t>(samples.size()) - 1, nearest + reach);
    double sum = 0;
    for (int64_t i = first; i <= last; ++i) {
      double place = std::abs(at - static_cast<double>(i)) * cutoff * kStepsPerLobe;
      auto idx = static_cast<size_t>(place);
      if (idx >= static_cast<size_t>(kLobes * kStepsPerLobe)) continue;
      double part = place - static_cast<double>(idx);
      sum += samples[i] * (table[idx] + part * (table[idx + 1] - table[idx]));
    }
    result[n] = static_cast<float>(sum * cutoff);
  }
  return result;
}

std::vector<float> trim_silence(std::span<const float> samples) {
  constexpr size_t kFrame = kSampleRate / 100;
  std::vector<double> levels;
  for (size_t i = 0; i < samples.size(); i += kFrame)
    levels.push_back(root_mean_square(samples.subspan(i, std::min(kFrame, samples.size() - i))));
  if (levels.empty()) return {};
  double threshold = 0.03 * *std::max_element(levels.begin(), levels.end());
  auto loud = [&](double level) { return level > threshold; };
  auto first =
      static_cast<size_t>(std::find_if(levels.begin(), levels.end(), loud) - levels.begin());
  auto behind =
      static_cast<size_t>(levels.rend() - std::find_if(levels.rbegin(), levels.rend(), loud));
  if (first >= behind) return {};
  size_t begin = first > 2 ? (first - 2) * kFrame : 0;
  size_t end = std::min(samples.size(), (behind + 2) * kFrame);
  return {samples.begin() + static_cast<std::ptrdiff_t>(begin),
          samples.begin() + static_cast<std::ptrdiff_t>(end)};
}

double root_mean_square(std::span<const float> samples) {
  double sum = 0;
  for (float sample : samples) sum += double{sample} * sample;
  return samples.empty() ? 0 : std::sqrt(sum / static_cast<double>(samples.size()));
}

Status run_program(const std::vector<std::string>& arguments, const std::string& package) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  int failure = posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ);
  if (failure == ENOENT)
    return input_error(fmt::format("the program {} is missing; install it with: apt-get install {}",
                                   arguments[0], package));
  if (failure != 0)
    return input_error(fmt::format("cannot start {}: {}", arguments[0], std::strerror(failure)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return input_error(fmt::format("this command failed: {}", join(arguments, " ")));
  return {};
}

}  // namespace nibble::kws
