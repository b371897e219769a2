// Which reader a model file needs, told by its content; and for files that are no model of ours,
// what they look like and how to get from there to one that is.
#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "formats/formats.h"
#include "formats/nibble/nibble.h"

namespace nibble {
namespace {

constexpr std::string_view kFromKeras =
    "convert it with tf.lite.TFLiteConverter.from_keras_model(model).convert() and write the bytes "
    "to a .tflite file";
constexpr std::string_view kFromSavedModel =
    "convert it with tf.lite.TFLiteConverter.from_saved_model(folder).convert() and write the "
    "bytes to a .tflite file";
constexpr std::string_view kFromTorch =
    "export it with torch.onnx.export(model, example_input, 'model.onnx', opset_version=17)";
constexpr std::string_view kFromAny = "export the model as .onnx or .tflite";

struct Lookalike {
  size_t offset;
  std::string_view mark;
  std::string_view what;
  std::string_view advice;
};

using namespace std::string_view_literals;

// First match counts. An .onnx file has no mark of its own, so what it cannot be is ruled out here.
constexpr Lookalike kLookalikes[] = {
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras .h5)", kFromKeras},
    {0, "PK\x03\x04"sv, "a zip archive (PyTorch .pt or .pth, Keras .keras, NumPy .npz)", ""},
    {0, "\x80\x02"sv, "a Python pickle (PyTorch .pt or .pth)", kFromTorch},
    {0, "\x80\x04"sv, "a Python pickle", kFromTorch},
    {0, "\x80\x05"sv, "a Python pickle", kFromTorch},
    {4, "ORTM"sv, "an ONNX Runtime .ort file", "use the .onnx file that it was made from"},
    {4, "TFL2"sv, "a TensorFlow Lite file of an old version",
     "convert it again with current tools"},
    {0, "GGUF"sv, "a GGUF file", kFromAny},
    {0, "\x93NUMPY"sv, "a NumPy array (.npy): data, not a model", kFromAny},
    {0, "\x1f\x8b"sv, "a gzip archive", "unpack it first"},
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself",
     "fetch it: git lfs pull"},
    {0, "<!DOCTYPE"sv, "an HTML page, not the file itself", "download the raw file"},
    {0, "<html"sv, "an HTML page, not the file itself", "download the raw file"},
    {0, "<?xml"sv, "an XML file (OpenVINO .xml?)", kFromAny},
    {0, "7767517"sv, "an ncnn .param file", kFromAny},
    {0, "{"sv, "a JSON file (TensorFlow.js or Keras configuration)", kFromKeras},
    {4, "\0\0\0\0{\""sv, "a safetensors file: weights without a network", kFromTorch},
    {0,
     "\x7f"
     "ELF"sv,
     "a program", kFromAny},
};

bool has_mark(std::span<const uint8_t> bytes, size_t offset, std::string_view mark) {
  return bytes.size() >= offset + mark.size() &&
         std::equal(mark.begin(), mark.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                    [](char a, uint8_t b) { return static_cast<uint8_t>(a) == b; });
}

bool contains(std::span<const uint8_t> bytes, std::string_view text) {
  auto found = std::search(bytes.begin(), bytes.end(), text.begin(), text.end(),
                           [](uint8_t a, char b) { return a == static_cast<uint8_t>(b); });
  return found != bytes.end();
}

std::string_view zip_advice(std::span<const uint8_t> bytes) {
  if (contains(bytes, "data.pkl")) return kFromTorch;
  if (contains(bytes, "config.json")) return kFromKeras;
  if (contains(bytes, ".npy")) return "give it as DATA, not as MODEL";
  return "unpack it, or export the model as .onnx or .tflite";
}

Error looks_like(const std::filesystem::path& path, std::string_view what,
                 std::string_view advice) {
  return input_error(
      fmt::format("{}: looks like {}; nibble reads .onnx, .tflite and .nibble models: {}",
                  path.string(), what, advice));
}

// Nothing but printable characters and white space; models have other bytes from the start.
bool is_text(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) {
    return (byte >= ' ' && byte != 0x7f) || (byte >= '\t' && byte <= '\r');
  });
}

// TensorFlow's graphs are protobufs as ONNX models are; a frozen graph starts with a node (field 1,
// a message), an ONNX model with its version (field 1, a number).
std::optional<Error> tensorflow_graph(const std::filesystem::path& path,
                                      std::span<const uint8_t> bytes) {
  std::string extension = path.extension().string();
  if (path.filename() == "saved_model.pb")
    return looks_like(path, "a TensorFlow SavedModel", kFromSavedModel);
  if (bytes[0] == 0x0a && (extension == ".pb" || extension == ".pbtxt"))
    return looks_like(path, "a frozen TensorFlow graph",
                      "convert it with tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(...)");
  return std::nullopt;
}

std::optional<Error> foreign(const std::filesystem::path& path, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return input_error(fmt::format("{}: the file is empty", path.string()));
  for (const Lookalike& known : kLookalikes) {
    if (!has_mark(bytes, known.offset, known.mark)) continue;
    auto advice = known.advice.empty() ? zip_advice(bytes) : known.advice;
    return looks_like(path, known.what, advice);
  }
  return tensorflow_graph(path, bytes);
}

Error is_folder(const std::filesystem::path& path) {
  if (std::filesystem::exists(path / "saved_model.pb"))
    return looks_like(path, "a TensorFlow SavedModel folder", kFromSavedModel);
  return input_error(
      fmt::format("{} is a folder; a .onnx, .tflite or .nibble file is expected", path.string()));
}

}  // namespace

Result<Graph> read_model(const std::filesystem::path& path, ImportProblems* problems) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return is_folder(path);
  NIBBLE_ASSIGN(auto bytes, read_file(path));
  std::string name = path.string();
  if (has_mark(bytes, 4, "TFL3")) return parse_tflite(bytes, name, problems);
  if (is_nibble(bytes)) return parse_nibble(bytes, name);
  if (is_text(bytes) && contains(bytes, "\"lower_bound_bytes\""))
    return input_error(
        fmt::format("{}: is a memory plan; give the .program it belongs to as the model, and this "
                    "file as --plan",
                    name));
  if (auto problem = foreign(path, bytes)) return *std::move(problem);
  // A cut-off or mangled file of a known name gets the message of its own reader.
  if (path.extension() == ".tflite") return parse_tflite(bytes, name);
  if (path.extension() == ".nibble") return parse_nibble(bytes, name);
  if (is_text(bytes)) return looks_like(path, "a text file", kFromAny);
  return parse_onnx(bytes, name, path.parent_path(), problems);
}

}  // namespace nibble
