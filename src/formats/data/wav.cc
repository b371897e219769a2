// Audio files as samples, read with libsndfile.
#include <fmt/format.h>
#include <sndfile.h>

#include <memory>

#include "formats/data/sources.h"

namespace nibble {
namespace {

bool is_wav(int format) {
  int kind = format & SF_FORMAT_TYPEMASK;
  return kind == SF_FORMAT_WAV || kind == SF_FORMAT_WAVEX || kind == SF_FORMAT_RF64 ||
         kind == SF_FORMAT_W64;
}

}  // namespace

Result<Tensor> read_wav(const std::filesystem::path& path, int64_t frames) {
  SF_INFO info{};
  std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> file(sf_open(path.c_str(), SFM_READ, &info),
                                                   sf_close);
  if (!file || !is_wav(info.format))
    return input_error(fmt::format("{}: cannot be read as a WAV file: {}", path.string(),
                                   file ? "it has another format" : sf_strerror(nullptr)));
  if (info.channels != 1)
    return input_error(fmt::format(
        "{}: has {} channels; mix it to mono (for instance: sox IN.wav OUT.wav remix -)",
        path.string(), info.channels));
  std::vector<float> samples(static_cast<size_t>(frames) + 1);
  sf_count_t read = sf_readf_float(file.get(), samples.data(), frames + 1);
  if (read != frames)
    return input_error(fmt::format(
        "{}: holds {} samples ({} Hz), the model takes {}; cut or pad the recordings as in "
        "training, or "
        "give the features the model was trained on as .npz",
        path.string(), read > frames ? std::to_string(info.frames) : std::to_string(read),
        info.samplerate, frames));
  samples.pop_back();
  return Tensor::of_floats({frames}, samples);
}

}  // namespace nibble
