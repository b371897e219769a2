// Images as samples: decoding by stb_image, limited to the three formats that are documented.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_FAILURE_USERMSG
#define STBI_MAX_DIMENSIONS 16384
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

#include <fmt/format.h>

#include <memory>

#include "base/file.h"
#include "formats/data/sources.h"

namespace nibble {
namespace {

// No image for a microcontroller is near this; a larger file is not worth decoding.
constexpr uint64_t kMaxImageBytes = 256 << 20;

Error not_an_image(const std::filesystem::path& path) {
  return input_error(fmt::format("{}: cannot be read as an image: {}; PNG, JPEG and BMP are read",
                                 path.string(), stbi_failure_reason()));
}

Result<ImageLayout> size_of(const std::vector<uint8_t>& bytes, const std::filesystem::path& path) {
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                            &channels) == 0)
    return not_an_image(path);
  return ImageLayout{height, width, channels, false};
}

}  // namespace

Result<ImageLayout> image_size(const std::filesystem::path& path) {
  NIBBLE_ASSIGN(auto bytes, read_file(path, kMaxImageBytes));
  return size_of(bytes, path);
}

Result<Tensor> read_image(const std::filesystem::path& path, const ImageLayout& layout) {
  NIBBLE_ASSIGN(auto bytes, read_file(path, kMaxImageBytes));
  NIBBLE_ASSIGN(ImageLayout found, size_of(bytes, path));
  // Checked before the pixels are decoded: the header may claim any size.
  if (found.height != layout.height || found.width != layout.width)
    return input_error(
        fmt::format("{}: the image is {} pixels high and {} wide, the model takes {} by {}; resize "
                    "the images as in "
                    "training",
                    path.string(), found.height, found.width, layout.height, layout.width));
  int width = 0, height = 0, channels = 0;
  std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                            &channels, static_cast<int>(layout.channels)),
      stbi_image_free);
  if (!pixels) return not_an_image(path);
  int64_t area = layout.height * layout.width, depth = layout.channels;
  Shape shape = layout.channels_first ? Shape{depth, layout.height, layout.width}
                                      : Shape{layout.height, layout.width, depth};
  Tensor tensor(TensorType{shape, DType::kF32, std::nullopt});
  auto elems = tensor.mutable_data<float>();
  for (int64_t pixel = 0; pixel < area; ++pixel)
    for (int64_t c = 0; c < depth; ++c) {
      int64_t at = layout.channels_first ? c * area + pixel : pixel * depth + c;
      elems[static_cast<size_t>(at)] = static_cast<float>(pixels.get()[pixel * depth + c]);
    }
  return tensor;
}

}  // namespace nibble
