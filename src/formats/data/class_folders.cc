// A folder with a subfolder per class: the files become samples, the subfolders labels.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "formats/data/sources.h"

namespace nibble {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxClasses = 65536;

struct ClassFolder {
  std::string name;
  fs::path path;
  int64_t label = 0;
};

Result<std::vector<fs::path>> list_folder(const fs::path& folder, bool folders) {
  std::error_code error;
  std::vector<fs::path> found;
  fs::directory_iterator entries(folder, error);
  if (error)
    return input_error(fmt::format("{}: cannot be listed: {}", folder.string(), error.message()));
  for (const fs::directory_entry& entry : entries) {
    if (entry.path().filename().string().starts_with(".")) continue;
    if (entry.is_directory(error) == folders) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<std::vector<ClassFolder>> list_classes(const fs::path& folder) {
  NIBBLE_ASSIGN(auto paths, list_folder(folder, true));
  if (paths.empty())
    return input_error(
        fmt::format("{}: holds no subfolders; a data folder has one subfolder per class, with its "
                    "PNG, JPEG, BMP or "
                    "WAV files",
                    folder.string()));
  std::vector<ClassFolder> classes;
  bool numbered = true;
  for (const fs::path& path : paths) {
    auto number = parse_int(path.filename().string());
    numbered = numbered && number.ok() && *number >= 0 && *number < kMaxClasses;
    classes.push_back({path.filename().string(), path, number.ok() ? *number : 0});
  }
  for (size_t i = 0; i < classes.size() && !numbered; ++i)
    classes[i].label = static_cast<int64_t>(i);
  return classes;
}

bool is_image(const std::string& extension) {
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".bmp";
}

// How images fill this input: rank 4 tells it; a flat input takes the first image's size if the
// elements fit it as grey or RGB.
Result<ImageLayout> image_layout(const TensorType& input, const fs::path& first) {
  const Shape& shape = input.shape;
  auto colour = [](int64_t channels) { return channels == 1 || channels == 3; };
  if (shape.size() == 4 && colour(shape[3]))
    return ImageLayout{shape[1], shape[2], shape[3], false};
  if (shape.size() == 4 && colour(shape[1])) return ImageLayout{shape[2], shape[3], shape[1], true};
  if (shape.size() == 3 && shape[0] == 1) return ImageLayout{shape[1], shape[2], 1, false};
  NIBBLE_ASSIGN(ImageLayout size, image_size(first));
  int64_t elems = elem_count(shape);
  for (int64_t channels : {1, 3})
    if (shape.size() < 4 && size.height * size.width * channels == elems)
      return ImageLayout{size.height, size.width, channels, false};
  return input_error(
      fmt::format("{}: an image of {} by {} pixels does not fit the model's input {}; images fill "
                  "inputs of one (grey) "
                  "or three (RGB) channels",
                  first.string(), size.height, size.width, format_shape(shape)));
}

// Reads the files of all classes, one after another; the first decides how images fill the input.
class FolderReader {
 public:
  FolderReader(const TensorType& input, int64_t max_samples)
      : input_(input), max_samples_(max_samples) {}

  Status read(const ClassFolder& folder) {
    NIBBLE_ASSIGN(auto files, list_folder(folder.path, false));
    for (const fs::path& path : files) {
      NIBBLE_ASSIGN(Tensor sample, read_sample(path));
      auto elems = sample.data<float>();
      elems_.insert(elems_.end(), elems.begin(), elems.end());
      if (labels_.empty()) sample_shape_ = sample.shape();
      if (sample.shape() != sample_shape_)
        return input_error(
            fmt::format("{}: is {}, the files before it are {}; a data folder holds one kind "
                        "of files",
                        path.string(), format_shape(sample.shape()), format_shape(sample_shape_)));
      labels_.push_back(folder.label);
    }
    return {};
  }
  int64_t count() const { return static_cast<int64_t>(labels_.size()); }

  // With max_samples every n-th sample is kept, so that all classes stay present.
  RawData take() {
    auto elems = static_cast<size_t>(elem_count(sample_shape_));
    int64_t kept = max_samples_ > 0 ? std::min(max_samples_, count()) : count();
    Shape shape = sample_shape_;
    shape.insert(shape.begin(), kept);
    RawData data;
    data.samples = Tensor(TensorType{shape, DType::kF32, std::nullopt});
    auto dst = data.samples.mutable_data<float>();
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < kept; ++i) {
      auto from = static_cast<size_t>(i * count() / kept);
      std::copy_n(elems_.begin() + static_cast<int64_t>(from * elems), elems,
                  dst.begin() + static_cast<int64_t>(static_cast<size_t>(i) * elems));
      labels.push_back(labels_[from]);
    }
    data.labels = Tensor::of<int64_t>({kept}, DType::kS64, labels);
    return data;
  }

 private:
  Result<Tensor> read_sample(const fs::path& path) {
    std::string extension = lower_case(path.extension().string());
    if (extension == ".wav") return read_wav(path, elem_count(input_.shape));
    if (!is_image(extension))
      return input_error(fmt::format(
          "{}: is neither PNG, JPEG, BMP nor WAV; a class folder holds only these", path.string()));
    if (!layout_) {
      NIBBLE_ASSIGN(layout_, image_layout(input_, path));
    }
    return read_image(path, *layout_);
  }

  const TensorType& input_;
  int64_t max_samples_;
  std::optional<ImageLayout> layout_;
  Shape sample_shape_;
  std::vector<float> elems_;
  std::vector<int64_t> labels_;
};

}  // namespace

Result<RawData> read_class_folders(const fs::path& folder, const TensorType& input,
                                   int64_t max_samples) {
  NIBBLE_ASSIGN(auto classes, list_classes(folder));
  FolderReader reader(input, max_samples);
  std::vector<std::string> names;
  for (const ClassFolder& entry : classes) {
    NIBBLE_TRY(reader.read(entry));
    if (static_cast<size_t>(entry.label) >= names.size())
      names.resize(static_cast<size_t>(entry.label) + 1);
    names[static_cast<size_t>(entry.label)] = entry.name;
  }
  if (reader.count() == 0)
    return input_error(fmt::format(
        "{}: its subfolders hold no samples (PNG, JPEG, BMP or WAV files)", folder.string()));
  RawData data = reader.take();
  data.class_names = std::move(names);
  return data;
}

}  // namespace nibble
