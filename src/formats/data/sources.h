// The kinds of data files behind read_dataset, each as plain tensors before they are fitted to a
// model. Inside formats/ only.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace nibble {

// Samples as a file has them: leading axis N, any element type; labels still a tensor.
struct RawData {
  Tensor samples;
  std::optional<Tensor> labels;
  std::vector<std::string> class_names;
};

// One row per sample, numbers separated by comma, semicolon or tab, equally many in each row. A
// first line that is not numeric is a header; if its last name is `label` or `y`, that column holds
// the labels. max_samples 0: all rows.
Result<RawData> parse_csv(std::string_view text, const std::string& name, int64_t max_samples);

// How an image fills the model's input: extents and order of the elements.
struct ImageLayout {
  int64_t height = 0, width = 0, channels = 1;
  bool channels_first = false;
};

// PNG, JPEG or BMP as f32 0..255 in [H,W,C] (or [C,H,W]), grey or RGB as the layout asks. Errors:
// not an image, another size than the layout's.
Result<Tensor> read_image(const std::filesystem::path& path, const ImageLayout& layout);
// Height and width from the file's header alone.
Result<ImageLayout> image_size(const std::filesystem::path& path);

// A mono WAV file as f32 samples in [-1, 1]; `frames` is how many there must be.
Result<Tensor> read_wav(const std::filesystem::path& path, int64_t frames);

// A folder with a subfolder per class. Classes are numbered by their names: as numbers if all names
// are whole numbers, else in alphabetical order. `input` is the model's input as the graph has it.
Result<RawData> read_class_folders(const std::filesystem::path& folder, const TensorType& input,
                                   int64_t max_samples);

}  // namespace nibble
